#include "random_encoder.h"

RandomEncoder::RandomEncoder(const EncoderShape &shape, unsigned seed) : random_(seed) {
    const int c = shape.channels;
    exact_head(c);
    for (int i = 0; i < 2 * shape.blocks + 1; ++i) {
        const bool exact = !shape.int8 || (shape.mixed && (i % 4 == 1 || i % 4 == 2));
        convolutions_.push_back(exact ? floats(c, c) : levels(c, c, i % 2 == 1 && i < 2 * shape.blocks));
        if (exact && shape.int8 && i % 2 == 0) convolutions_.back().input_range = 3.0f;
    }
    for (std::size_t i = 0; i < shape.contents.size(); ++i) {
        const int outputs = shape.contents[i];
        convolutions_.push_back(shape.int8 && i > 0 ? levels(c, outputs, false) : floats(c, outputs));
        // Some of what kernels of INT8 compute in 16 bits lies beyond the stated range.
        if (shape.int8 && i == 0) convolutions_.back().input_range = 3.0f;
        convolutions_.back().relu = i == 0;
        maps_ += outputs;
    }
    view_ = {c, shape.blocks, std::int32_t(shape.contents.size()), convolutions_.data()};
}

template <class T, class Fill>
const T *RandomEncoder::array(std::vector<Exact<T>> &shelf, std::size_t count, Fill fill) {
    shelf.emplace_back(count);
    for (std::size_t i = 0; i < count; ++i) shelf.back().data[i] = fill();
    return shelf.back().data.get();
}

// Sums of levels times powers of two are exact in every kernel, so that all of them quantise the same values.
void RandomEncoder::exact_head(int channels) {
    std::uniform_int_distribution<int> step(-1, 1);
    esr_convolution head{};
    head.inputs = 3;
    head.outputs = channels;
    head.weight = array(floats_, std::size_t(channels) * 27, [&] { return 127.5f / 256.0f * float(step(random_)); });
    head.bias = array(floats_, std::size_t(channels), [&] { return float(step(random_)); });
    convolutions_.push_back(head);
}

esr_convolution RandomEncoder::floats(int inputs, int outputs) {
    std::normal_distribution<float> value(0.0f, 0.7f / (3.0f * float(inputs)));
    esr_convolution one{};
    one.inputs = inputs;
    one.outputs = outputs;
    one.weight = array(floats_, std::size_t(outputs) * inputs * 9, [&] { return value(random_); });
    one.bias = array(floats_, std::size_t(outputs), [&] { return value(random_); });
    return one;
}

esr_convolution RandomEncoder::levels(int inputs, int outputs, bool after_relu) {
    std::uniform_int_distribution<int> level(-127, 127), bias(-2000, 2000);
    std::uniform_real_distribution<float> scale(0.5f, 1.0f);
    esr_convolution one{};
    one.inputs = inputs;
    one.outputs = outputs;
    one.levels = array(bytes_, std::size_t(outputs) * inputs * 9, [&] { return std::int8_t(level(random_)); });
    one.level_scale = array(floats_, std::size_t(outputs), [&] { return 0.01f * scale(random_) / float(inputs); });
    one.bias_levels = array(integers_, std::size_t(outputs), [&] { return bias(random_); });
    one.input_scale = after_relu ? 0.02f : 0.05f;
    one.input_zero = after_relu ? 0 : 125;
    return one;
}

RandomPicture::RandomPicture(int height, int width, unsigned seed)
    : height_(height), width_(width), bytes_(std::size_t(height) * width * 3) {
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> level(0, 255);
    for (std::size_t i = 0; i < bytes_.size; ++i) bytes_.data[i] = std::uint8_t(level(random));
    convert();
}

RandomPicture::RandomPicture(const RandomPicture &whole, int x, int y, int width, int height)
    : height_(height), width_(width), bytes_(std::size_t(height) * width * 3) {
    for (int row = 0; row < height; ++row)
        for (int i = 0; i < 3 * width; ++i)
            bytes_.data[std::size_t(row) * width * 3 + i] = whole.bytes_.data[(std::size_t(y + row) * whole.width_ + x) * 3 + i];
    convert();
}

void RandomPicture::convert() {
    floats_ = Exact<float>(bytes_.size);
    for (std::size_t i = 0; i < bytes_.size; ++i) floats_.data[i] = float(bytes_.data[i]) / 255.0f;
}

esr_encode_request RandomPicture::request(void *maps, bool floats, int threads, int depth) const {
    const void *image = floats ? static_cast<const void *>(floats_.data.get()) : static_cast<const void *>(bytes_.data.get());
    return {image, height_, width_, maps, floats, 0, threads, depth};
}

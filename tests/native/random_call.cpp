#include "random_call.h"

RandomNetwork::RandomNetwork(const Shape &shape, unsigned seed) : random_(seed), widths_(shape.widths) {
    std::size_t inputs = 3;
    for (const std::int32_t width : widths_) {
        const std::size_t count = std::size_t(width) * inputs;
        synthesis_.push_back(fill(count, 2.0f / float(inputs)));
        bias_.push_back(fill(std::size_t(width), 1.0f));
        modulation_.push_back(fill(count, 1.0f / float(inputs)));
        inputs = std::size_t(width);
        channels_ += width;
    }
    view_ = {shape.mode,
             std::int32_t(widths_.size()),
             widths_.data(),
             synthesis_.data(),
             bias_.data(),
             modulation_.data(),
             fill(3 * inputs, 1.0f / float(inputs)),
             fill(3, 0.1f),
             shape.base};
}

const float *RandomNetwork::fill(std::size_t count, float spread) {
    std::uniform_real_distribution<float> value(-spread, spread);
    arrays_.emplace_back(count);
    float *data = arrays_.back().data.get();
    for (std::size_t i = 0; i < count; ++i) data[i] = value(random_);
    return data;
}

RandomCall::RandomCall(const Shape &shape, int channels, unsigned seed)
    : shape_(shape), channels_(channels), random_(seed) {
    fill_axis(shape.height, shape.out_height, rows_, offset_y_);
    fill_axis(shape.width, shape.out_width, cols_, offset_x_);
    fill_pictures(channels);
}

void RandomCall::fill_axis(int length, int output, Exact<std::int32_t> &nearest, Exact<float> &offset) {
    nearest = Exact<std::int32_t>(std::size_t(output));
    offset = Exact<float>(std::size_t(output));
    for (int i = 0; i < output; ++i) {
        const long long centre = 2LL * i + 1;
        nearest.data[i] = std::int32_t(centre * length / (2LL * output));
        const double distance = double(centre) / output - (2.0 * nearest.data[i] + 1) / length;
        offset.data[i] = float(distance * length);
    }
}

void RandomCall::fill_pictures(int channels) {
    std::uniform_real_distribution<float> unit(0.0f, 1.0f);
    const std::size_t pixels = std::size_t(shape_.height) * shape_.width;
    maps_ = Exact<float>(pixels * channels);
    float_image_ = Exact<float>(pixels * 3);
    byte_image_ = Exact<std::uint8_t>(pixels * 3);
    for (std::size_t i = 0; i < maps_.size; ++i) maps_.data[i] = unit(random_);
    for (std::size_t i = 0; i < float_image_.size; ++i) {
        float_image_.data[i] = unit(random_);
        byte_image_.data[i] = std::uint8_t(255 * float_image_.data[i]);
    }
}

esr_request RandomCall::request(void *out, int threads) const {
    const void *image = shape_.float_pictures ? static_cast<const void *>(float_image_.data.get())
                                              : static_cast<const void *>(byte_image_.data.get());
    return {maps_.data.get(),     channels_,           shape_.height,    shape_.width, image,
            rows_.data.get(),     cols_.data.get(),    offset_y_.data.get(), offset_x_.data.get(),
            float(shape_.height) * float(shape_.width) / (float(shape_.out_height) * float(shape_.out_width)),
            shape_.out_height,    shape_.out_width,    out,              shape_.float_pictures, threads, 0};
}

#include "encoder/weights.h"

#include <cmath>
#include <cstring>

namespace esr {
namespace {

constexpr int kSide = 3;

int divide_up(int count, int step) { return (count + step - 1) / step; }

std::uint16_t bf16_bits(float value) {
    std::uint32_t word;
    std::memcpy(&word, &value, sizeof word);
    return std::uint16_t((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
}

std::size_t place(const esr_convolution &source, int output, int input, int dy, int dx) {
    return ((std::size_t(output) * source.inputs + input) * kSide + dy) * kSide + dx;
}

// One group of channels, see WeightOrder. get(output, outer, k): a weight, 0 beyond the convolution's own.
template <class Value, class Get>
Value *arrange_group(Value *out, int first, int size, int outer, int k, const WeightOrder &order, Get get) {
    const int chunk = order.chunk ? order.chunk : k;
    const int block = order.block ? order.block : size;
    for (int o = 0; o < outer; ++o)
        for (int start = 0; start < k; start += chunk)
            for (int b = 0; b < size; b += block)
                for (int word = start; word < start + chunk; word += order.word)
                    for (int c = 0; c < block; ++c)
                        for (int j = word; j < word + order.word; ++j) *out++ = j < k ? get(first + b + c, o, j) : Value{};
    return out;
}

template <class Value, class Get>
Buffer<char> arrange(const Convolution &shape, WeightOrder order, Get get) {
    // To the left of planes stand whole runs of a channel's weights.
    if (shape.input == Format::Bf16Planes || shape.input == Format::Int8Planes) order.word = order.chunk;
    const bool winograd = shape.input == Format::Winograd;
    const int outer = winograd ? kWinogradPoints : kTaps, k = kTaps * shape.in_channels;
    const int chunk = order.chunk ? order.chunk : k;
    Buffer<char> bytes(std::size_t(shape.out_channels) * outer * divide_up(k, chunk) * chunk * sizeof(Value));
    Value *out = reinterpret_cast<Value *>(bytes.data());
    for (int first = 0; first < shape.out_channels; first += kGroup) {
        const int size = shape.out_channels - first < kGroup ? shape.out_channels - first : kGroup;
        out = arrange_group(out, first, size, outer, k, order, get);
    }
    return bytes;
}

// The weights of one input row at one of the points that F(4, 3) multiplies at.
double at_point(const esr_convolution &source, int output, int input, int dy, int point) {
    static const double factors[kWinogradPoints][kSide] = {{1 / 4., 0, 0},
                                                           {-1 / 6., -1 / 6., -1 / 6.},
                                                           {-1 / 6., 1 / 6., -1 / 6.},
                                                           {1 / 24., 1 / 12., 1 / 6.},
                                                           {1 / 24., -1 / 12., 1 / 6.},
                                                           {0, 0, 1}};
    double sum = 0;
    for (int dx = 0; dx < kSide; ++dx) sum += factors[point][dx] * source.weight[place(source, output, input, dy, dx)];
    return sum;
}

// k counts taps and within them channels.
float float_weight(const esr_convolution &source, const Convolution &shape, int output, int outer, int k) {
    const int tap = k / shape.in_channels, input = k % shape.in_channels;
    if (output >= source.outputs || input >= source.inputs) return 0.0f;
    if (shape.input == Format::Winograd) return float(at_point(source, output, input, tap, outer));
    return source.weight[place(source, output, input, outer, tap)];
}

}  // namespace

Buffer<char> arrange_floats(const esr_convolution &source, const Convolution &shape, const WeightOrder &order,
                            float factor) {
    const auto get = [&](int output, int outer, int k) { return factor * float_weight(source, shape, output, outer, k); };
    if (shape.input != Format::Bf16 && shape.input != Format::Bf16Planes) return arrange<float>(shape, order, get);
    return arrange<std::uint16_t>(shape, order, [&](int output, int outer, int k) { return bf16_bits(get(output, outer, k)); });
}

Buffer<char> arrange_words(const esr_convolution &source, const Convolution &shape, const WeightOrder &order, const float *scale) {
    return arrange<std::int16_t>(shape, order, [&](int output, int outer, int k) {
        if (output >= source.outputs) return std::int16_t(0);
        return std::int16_t(std::lrint(float_weight(source, shape, output, outer, k) / scale[output]));
    });
}

Buffer<char> arrange_levels(const esr_convolution &source, const Convolution &shape, const WeightOrder &order) {
    return arrange<std::int8_t>(shape, order, [&](int output, int outer, int k) {
        const int tap = k / shape.in_channels, input = k % shape.in_channels;
        const bool present = output < source.outputs && input < source.inputs;
        return present ? source.levels[place(source, output, input, outer, tap)] : std::int8_t(0);
    });
}

}  // namespace esr

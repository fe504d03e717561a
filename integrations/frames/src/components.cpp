#include "components.h"

#include <cstring>

namespace edgesr {
namespace {

template <class T>
void load(const std::uint8_t *from, std::ptrdiff_t step, int shift, int width, std::int32_t *codes) {
    if (step == std::ptrdiff_t(sizeof(T))) {
        const T *values = reinterpret_cast<const T *>(from);
        for (int x = 0; x < width; ++x) codes[x] = values[x] >> shift;
        return;
    }
    for (int x = 0; x < width; ++x) codes[x] = *reinterpret_cast<const T *>(from + x * step) >> shift;
}

template <class T>
void store(const std::int32_t *codes, std::uint8_t *to, std::ptrdiff_t step, int shift, int width) {
    if (step == std::ptrdiff_t(sizeof(T))) {
        T *values = reinterpret_cast<T *>(to);
        for (int x = 0; x < width; ++x) values[x] = T(codes[x] << shift);
        return;
    }
    for (int x = 0; x < width; ++x) *reinterpret_cast<T *>(to + x * step) = T(codes[x] << shift);
}

}  // namespace

void load_codes(const Component &part, const PixelFormat &format, int y, int width, std::int32_t *codes) {
    const std::uint8_t *row = part.data + y * part.row;
    if (format.bytes() == 1) load<std::uint8_t>(row, part.step, format.shift, width, codes);
    else load<std::uint16_t>(row, part.step, format.shift, width, codes);
}

void store_codes(const std::int32_t *codes, const WritableComponent &part, const PixelFormat &format, int y,
                 int width) {
    std::uint8_t *row = part.data + y * part.row;
    if (format.bytes() == 1) store<std::uint8_t>(codes, row, part.step, format.shift, width);
    else store<std::uint16_t>(codes, row, part.step, format.shift, width);
}

void load_floats(const Component &part, int y, int width, float *values) {
    const std::uint8_t *row = part.data + y * part.row;
    for (int x = 0; x < width; ++x) {
        float value;
        std::memcpy(&value, row + x * part.step, sizeof value);
        values[x] = value > 0 ? (value < 1 ? value : 1.0f) : 0.0f;
    }
}

void store_floats(const float *values, const WritableComponent &part, int y, int width) {
    for (int x = 0; x < width; ++x) std::memcpy(part.data + y * part.row + x * part.step, values + x, sizeof(float));
}

}  // namespace edgesr

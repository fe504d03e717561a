#include "encoder/image_rows.h"

#include <cstring>

namespace esr {
namespace {

constexpr int kColours = 3;
constexpr int kBeyond = 8;  // pixels that a tile reads, 64 bytes
constexpr float kMiddle = 127.5f, kFull = 255.0f;  // whole and half levels are exact in bfloat16 too

float centred(std::uint8_t level) { return float(level) - kMiddle; }
float centred(float value) { return value * kFull - kMiddle; }

void put(float value, float *out) { *out = value; }
// The nearest bfloat16, ties to even.
void put(float value, std::uint16_t *out) {
    std::uint32_t word;
    std::memcpy(&word, &value, sizeof word);
    *out = std::uint16_t((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
}

// The first pixel and those beyond the width stay zero.
template <class Value, class Sample>
void load_row(const Sample *image, int width, Value *out) {
    std::memset(out, 0, sizeof(Value) * kImageChannels);
    out += kImageChannels;
    for (int x = 0; x < width; ++x, image += kColours, out += kImageChannels) {
        for (int c = 0; c < kColours; ++c) put(centred(image[c]), out + c);
        out[kColours] = Value(0);
    }
    std::memset(out, 0, sizeof(Value) * kImageChannels * kBeyond);
}

template <class Sample>
void load_strip(const Sample *image, Format format, const Strip &s) {
    for (int row = 0; row < s.rows; ++row) {
        const Sample *line = image + std::size_t(s.y + row) * s.width * kColours;
        if (format == Format::Bf16)
            load_row(line, s.width, static_cast<std::uint16_t *>(s.out[row]));
        else
            load_row(line, s.width, static_cast<float *>(s.out[row]));
    }
}

}  // namespace

void load_rows(const esr_encode_request &request, Format format, const Strip &strip) {
    if (request.float_pictures)
        load_strip(static_cast<const float *>(request.image), format, strip);
    else
        load_strip(static_cast<const std::uint8_t *>(request.image), format, strip);
}

}  // namespace esr

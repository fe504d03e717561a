/* Eight-bit pictures with halved chroma: swscale's way, code for code. */
#include "colour.h"
#include "components.h"
#include "conversion.h"
#include "rows.h"
#include "versions.h"

namespace edgesr {
namespace {

constexpr int kInner = inner_bits(8);
/* RGB bytes become luma and chroma of 14 bits, and full range is rounded from those: swscale itself puts its neutral
 * chroma half a code of any depth too low. */
constexpr int kRgbBits = 14, kFineBits = 14;

EDGESR_VERSIONS void write_rgb(const ToRgbIntegers &by, const std::int32_t *luma, const std::int32_t *u,
                               const std::int32_t *v, int width, std::uint8_t *rgb) {
    constexpr int shift = 22;
    const auto code = [](std::int32_t value) { return std::uint8_t(std::clamp(value >> shift, 0, 255)); };
    for (int x = 0; x < width; ++x) {
        const std::int32_t grey = ((luma[x] << 9) - by.luma_offset) * by.luma + (1 << (shift - 1));
        rgb[3 * x] = code(grey + v[x] * by.red_v);
        rgb[3 * x + 1] = code(grey + v[x] * by.green_v + u[x] * by.green_u);
        rgb[3 * x + 2] = code(grey + u[x] * by.blue_u);
    }
}

EDGESR_VERSIONS void read_rgb(const std::uint8_t *rgb, int width, const std::array<int, 3> &by, int offset,
                              std::int32_t *out) {
    const int red = by[0], green = by[1], blue = by[2];
    /* 15 bits of fraction, of which 6 stay. */
    const int bias = (offset << 15) + (1 << 8);
    for (int x = 0; x < width; ++x)
        out[x] = (red * rgb[3 * x] + green * rgb[3 * x + 1] + blue * rgb[3 * x + 2] + bias) >> 9;
}

/* Codes of `kFineBits` in full range, about `neutral` of eight bits, to the nearest of eight. */
EDGESR_VERSIONS void to_bytes(std::int32_t *codes, int width, int neutral) {
    constexpr int span = (1 << kFineBits) - 1;
    const int offset = 2 * span * neutral - 2 * 255 * (neutral << (kFineBits - 8)) + span;
    for (int x = 0; x < width; ++x) codes[x] = (2 * 255 * codes[x] + offset) / (2 * span);
}

/* Limited to full range, on values of 15 bits, one of them a fraction. */
struct Widening {
    std::int32_t factor;
    std::int64_t offset;

    /* For codes of `kFineBits`. */
    static Widening from(int black, int white) {
        constexpr int spare = kInner - kFineBits, finer = kFineBits - 8;
        constexpr std::int64_t top = std::int64_t((1 << kFineBits) - 1) << (14 + spare);
        const std::int64_t unit = top / ((white - black) << finer);
        const std::int64_t factor = (unit + (1 << spare) - 1) >> spare;
        return {std::int32_t(factor), top - (std::int64_t(white) << (finer + spare)) * factor + (1 << 13)};
    }

    void apply(std::int32_t *values, int width) const {
        for (int x = 0; x < width; ++x)
            values[x] =
                std::int32_t(std::min<std::int64_t>((values[x] * std::int64_t(factor) + offset) >> 14, (1 << 15) - 1));
    }
};

}  // namespace

void Conversion::bytes_to_rgb(const Picture &picture, const Colour &colour, std::uint8_t *rgb, int threads) const {
    const ToRgbIntegers by = to_rgb_integers(colour);
    share_rows(size_.height, threads, [&](int begin, int end) {
        const std::size_t width = std::size_t(size_.width);
        std::vector<std::int32_t> luma(width), codes(std::size_t(chroma_.width)), u(width), v(width);
        RowWindow windows[] = {{size_.width, up_down_.size}, {size_.width, up_down_.size}};
        for (int y = begin; y < end; ++y) {
            load_codes(picture.parts[0], format_, y, size_.width, luma.data());
            for (int part = 0; part < 2; ++part) {
                const auto rows =
                    windows[part].from(up_down_.first[std::size_t(y)], chroma_.height, [&](int row, std::int32_t *out) {
                        load_codes(picture.parts[1 + part], format_, row, chroma_.width, codes.data());
                        filter_across(up_across_, codes.data(), 8, kInner, out);
                    });
                sum_down(up_down_.of(y), up_down_.size, rows, size_.width, part ? v.data() : u.data());
            }
            write_rgb(by, luma.data(), u.data(), v.data(), size_.width, rgb + 3 * width * std::size_t(y));
        }
    });
}

void Conversion::bytes_from_rgb(const std::uint8_t *rgb, const Colour &colour, const WritablePicture &picture,
                                int threads) const {
    const FromRgbIntegers by = from_rgb_integers(colour.matrix);
    const Widening luma_range = Widening::from(16, 235), chroma_range = Widening::from(16, 240);
    const int depth = colour.full_range ? kFineBits : 8;
    const std::size_t width = std::size_t(size_.width);
    share_rows(chroma_.height, threads, [&](int begin, int end) {
        std::vector<std::int32_t> values(width), codes(width);
        RowWindow windows[] = {{chroma_.width, down_down_.size}, {chroma_.width, down_down_.size}};
        for (int y = begin; y < end; ++y) {
            for (int part = 1; part < 3; ++part) {
                const auto rows = windows[part - 1].from(
                    down_down_.first[std::size_t(y)], size_.height, [&](int row, std::int32_t *out) {
                        read_rgb(rgb + 3 * width * std::size_t(row), size_.width, by[std::size_t(part)], 128,
                                 values.data());
                        filter_across(down_across_, values.data(), kRgbBits, kInner, out);
                        if (colour.full_range) chroma_range.apply(out, chroma_.width);
                    });
                filter_down(down_down_.of(y), down_down_.size, rows, chroma_.width, depth, codes.data());
                if (colour.full_range) to_bytes(codes.data(), chroma_.width, 128);
                store_codes(codes.data(), picture.parts[part], format_, y, chroma_.width);
            }
        }
    });
    share_rows(size_.height, threads, [&](int begin, int end) {
        std::vector<std::int32_t> values(width);
        for (int y = begin; y < end; ++y) {
            read_rgb(rgb + 3 * width * std::size_t(y), size_.width, by[0], 16, values.data());
            for (std::int32_t &value : values) value *= 2;
            if (colour.full_range) luma_range.apply(values.data(), size_.width);
            const int shift = kInner - depth;
            for (std::int32_t &value : values)
                value = std::clamp((value + (1 << (shift - 1))) >> shift, 0, (1 << depth) - 1);
            if (colour.full_range) to_bytes(values.data(), size_.width, 0);
            store_codes(values.data(), picture.parts[0], format_, y, size_.width);
        }
    });
}

}  // namespace edgesr

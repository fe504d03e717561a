/* Pictures of more bits or more chroma, through float32 by the matrix itself; chroma is filtered in swscale's integers.
 */
#include <algorithm>
#include <cmath>

#include "colour.h"
#include "components.h"
#include "conversion.h"
#include "rows.h"

namespace edgesr {
namespace {

/* Chroma between samples has so many bits at least, but where the range is full, whose white swscale would shift to
 * what is not all ones. */
constexpr int kFineBits = 14;

/* Luma's black and span, chroma's neutral and span, in codes (ITU-R BT.709, 6.10). */
struct Levels {
    float black, luma, neutral, chroma;

    Levels(int depth, bool full) {
        const float unit = float(1 << (depth - 8)), top = float((1 << depth) - 1);
        black = full ? 0 : 16 * unit;
        luma = full ? top : 219 * unit;
        neutral = 128 * unit;
        chroma = full ? top : 224 * unit;
    }
};

float unit_range(float value) { return std::clamp(value, 0.0f, 1.0f); }

struct Matrix {
    double red, green, blue;

    explicit Matrix(int number) {
        const LumaWeights weights = luma_weights(number);
        red = weights.red;
        blue = weights.blue;
        green = 1 - red - blue;
    }

    void to_rgb(const Levels &levels, const std::int32_t *const codes[3], int width, float *rgb) const {
        const float red_v = float(2 * (1 - red)), blue_u = float(2 * (1 - blue));
        const float green_u = float(2 * (1 - blue) * blue / green), green_v = float(2 * (1 - red) * red / green);
        for (int x = 0; x < width; ++x) {
            const float y = (float(codes[0][x]) - levels.black) / levels.luma;
            const float u = (float(codes[1][x]) - levels.neutral) / levels.chroma;
            const float v = (float(codes[2][x]) - levels.neutral) / levels.chroma;
            rgb[3 * x] = unit_range(y + red_v * v);
            rgb[3 * x + 1] = unit_range(y - green_u * u - green_v * v);
            rgb[3 * x + 2] = unit_range(y + blue_u * u);
        }
    }

    void from_rgb(const Levels &levels, int depth, const float *rgb, int width, std::int32_t *const codes[3]) const {
        const float r = float(red), g = float(green), b = float(blue);
        const float u_span = float(2 * (1 - blue)), v_span = float(2 * (1 - red)), top = float((1 << depth) - 1);
        const auto code = [top](float value) { return std::int32_t(std::clamp(std::nearbyint(value), 0.0f, top)); };
        for (int x = 0; x < width; ++x) {
            const float y = r * rgb[3 * x] + g * rgb[3 * x + 1] + b * rgb[3 * x + 2];
            codes[0][x] = code(y * levels.luma + levels.black);
            codes[1][x] = code((rgb[3 * x + 2] - y) / u_span * levels.chroma + levels.neutral);
            codes[2][x] = code((rgb[3 * x] - y) / v_span * levels.chroma + levels.neutral);
        }
    }
};

}  // namespace

void Conversion::deep_to_rgb(const Picture &picture, const Colour &colour, float *rgb, int threads) const {
    const int depth = format_.depth, finer = colour.full_range ? depth : std::max(depth, kFineBits);
    const Levels levels(finer, colour.full_range);
    const Matrix matrix(colour.matrix);
    const int inner = inner_bits(finer);
    share_rows(size_.height, threads, [&](int begin, int end) {
        const std::size_t width = std::size_t(size_.width);
        std::vector<std::int32_t> luma(width), codes(std::size_t(chroma_.width)), u(width), v(width);
        RowWindow windows[] = {{size_.width, up_down_.size}, {size_.width, up_down_.size}};
        for (int y = begin; y < end; ++y) {
            load_codes(picture.parts[0], format_, y, size_.width, luma.data());
            for (std::int32_t &value : luma) value <<= finer - depth;
            for (int part = 0; part < 2; ++part) {
                const auto rows =
                    windows[part].from(up_down_.first[std::size_t(y)], chroma_.height, [&](int row, std::int32_t *out) {
                        load_codes(picture.parts[1 + part], format_, row, chroma_.width, codes.data());
                        filter_across(up_across_, codes.data(), depth, inner, out);
                    });
                filter_down(up_down_.of(y), up_down_.size, rows, size_.width, finer, part ? v.data() : u.data());
            }
            const std::int32_t *const planes[] = {luma.data(), u.data(), v.data()};
            matrix.to_rgb(levels, planes, size_.width, rgb + 3 * width * std::size_t(y));
        }
    });
}

void Conversion::deep_from_rgb(const float *rgb, const Colour &colour, const WritablePicture &picture,
                               int threads) const {
    const Levels levels(format_.depth, colour.full_range);
    const Matrix matrix(colour.matrix);
    const int depth = format_.depth, inner = inner_bits(depth);
    const std::size_t width = std::size_t(size_.width), rows = std::size_t(size_.height);
    std::vector<std::int32_t> full[] = {std::vector<std::int32_t>(width * rows),
                                        std::vector<std::int32_t>(width * rows)};
    share_rows(size_.height, threads, [&](int begin, int end) {
        std::vector<std::int32_t> luma(width);
        for (int y = begin; y < end; ++y) {
            const std::size_t at = width * std::size_t(y);
            std::int32_t *const planes[] = {luma.data(), &full[0][at], &full[1][at]};
            matrix.from_rgb(levels, depth, rgb + 3 * at, size_.width, planes);
            store_codes(luma.data(), picture.parts[0], format_, y, size_.width);
        }
    });
    share_rows(chroma_.height, threads, [&](int begin, int end) {
        std::vector<std::int32_t> codes(std::size_t(chroma_.width));
        RowWindow windows[] = {{chroma_.width, down_down_.size}, {chroma_.width, down_down_.size}};
        for (int y = begin; y < end; ++y) {
            for (int part = 0; part < 2; ++part) {
                const auto inner_rows =
                    windows[part].from(down_down_.first[std::size_t(y)], size_.height, [&](int row, std::int32_t *out) {
                        filter_across(down_across_, &full[part][width * std::size_t(row)], depth, inner, out);
                    });
                filter_down(down_down_.of(y), down_down_.size, inner_rows, chroma_.width, depth, codes.data());
                store_codes(codes.data(), picture.parts[1 + part], format_, y, chroma_.width);
            }
        }
    });
}

}  // namespace edgesr

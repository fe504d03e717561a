#include "colour.h"

#include <cmath>
#include <string>

#include "error.h"

namespace edgesr {
namespace {

constexpr int kRgb = 0, kBt709 = 1, kUnspecified = 2, kReserved = 3, kSmpte170m = 6, kBt2020 = 9;
constexpr int kPq = 16, kHlg = 18;
constexpr std::int64_t kOne = 65536;

/* What swscale multiplies V and U by for limited range, in 1/65536: V to red, U to blue, U and V to green (less). */
struct Inverse {
    std::int64_t red_v, blue_u, green_u, green_v;
};

constexpr Inverse kBt601{104597, 132201, 25675, 53279};

Inverse inverse(int matrix) {
    switch (matrix) {
        case 1: return {117489, 138438, 13975, 34925};
        case 4: return {104448, 132798, 24759, 53109};
        case 7: return {117579, 136230, 16907, 35559};
        case 9: return {110013, 140363, 12277, 42626};
        default: return kBt601;
    }
}

int in_13_bits(std::int64_t value) { return int((value * 8192 + 32768) >> 16); }

}  // namespace

int usable_matrix(int matrix, int transfer, Size size) {
    if (matrix == kRgb || matrix == kUnspecified || matrix == kReserved) {
        if (transfer == kPq || transfer == kHlg) return kBt2020;
        return size.width >= 1280 || size.height > 576 ? kBt709 : kSmpte170m;
    }
    if (matrix != 1 && (matrix < 4 || matrix == 8 || matrix > 9))
        throw Error("colour matrix " + std::to_string(matrix) +
                    " of ITU-T H.273 is not supported, only 1, 4, 5, 6, 7, 9");
    return matrix;
}

LumaWeights luma_weights(int matrix) {
    switch (matrix) {
        case 1: return {0.2126, 0.0722};
        case 4: return {0.30, 0.11};
        case 7: return {0.212, 0.087};
        case 9: return {0.2627, 0.0593};
        default: return {0.299, 0.114};
    }
}

ToRgbIntegers to_rgb_integers(const Colour &colour) {
    Inverse by = inverse(colour.matrix);
    std::int64_t luma = kOne, black = 0;
    if (colour.full_range) {
        for (std::int64_t *part : {&by.red_v, &by.blue_u, &by.green_u, &by.green_v}) *part = *part * 224 / 255;
    } else {
        luma = kOne * 255 / 219;
        black = 16;
    }
    return {int(black << 9),         in_13_bits(luma),        in_13_bits(by.red_v),
            in_13_bits(-by.green_v), in_13_bits(-by.green_u), in_13_bits(by.blue_u)};
}

FromRgbIntegers from_rgb_integers(int matrix) {
    const Inverse by = inverse(matrix);
    const double v = double(by.green_v) / double(by.red_v), w = double(by.green_u) / double(by.blue_u), sum = 1 + v + w;
    const double red = v / sum, green = 1 / sum, blue = w / sum;
    const double cb = double(by.blue_u) / kOne, cr = double(by.red_v) / kOne;
    const auto share = [](double part) { return int(std::lround(part * 32768)); };
    if (by.red_v == kBt601.red_v) {
        /* For BT.601 swscale keeps three digits of each coefficient. */
        constexpr double luma = 219.0 / 255, chroma = 224.0 / 255;
        return {{{share(0.299 * luma), share(0.587 * luma), share(0.114 * luma)},
                 {share(-0.169 * chroma), share(-0.331 * chroma), share(0.5 * chroma)},
                 {share(0.5 * chroma), share(-0.419 * chroma), share(-0.081 * chroma)}}};
    }
    constexpr double luma = 219.0 / 255;
    return {{{share(red * luma), share(green * luma), share(blue * luma)},
             {share(-red / cb), share(-green / cb), share((1 - blue) / cb)},
             {share((1 - red) / cr), share(-green / cr), share(-blue / cr)}}};
}

}  // namespace edgesr

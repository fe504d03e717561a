/* Coefficients between YCbCr and RGB. */
#pragma once

#include <array>

#include "picture.h"

namespace edgesr {

/* Weights of red and blue in luma (ITU-T H.273, table 4). */
struct LumaWeights {
    double red, blue;
};
LumaWeights luma_weights(int matrix);

/* swscale's integers for 8-bit pictures: the mark is to give its codes. To RGB from luma of 17 bits, products of 13
 * more. */
struct ToRgbIntegers {
    int luma_offset, luma, red_v, green_v, green_u, blue_u;
};
ToRgbIntegers to_rgb_integers(const Colour &colour);

/* To YCbCr of limited range from RGB bytes: for Y, Cb and Cr the shares of R, G and B in 1/32768. */
using FromRgbIntegers = std::array<std::array<int, 3>, 3>;
FromRgbIntegers from_rgb_integers(int matrix);

}  // namespace edgesr

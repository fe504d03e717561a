/* Pictures as programs around us hold them: three components in planes or interleaved, and what their codes mean. */
#pragma once

#include <cstddef>
#include <cstdint>

#include "sizes.h"

namespace edgesr {

/* Codes of `depth` bits in 8 or 16 bits (`shift` of them unused below, as in P010), or float32 in [0, 1] (RGB alone).
 * Chroma planes are halved across and down as `half_width` and `half_height` say (0 or 1). */
struct PixelFormat {
    bool rgb = false, floating = false;
    int depth = 8, half_width = 0, half_height = 0, shift = 0;

    /* Whether pictures run through the network as uint8; all others as float32, as in edge_sr/video/frames/pixels.py. */
    bool fits_uint8() const { return !floating && depth == 8 && (rgb || (half_width && half_height)); }
    int bytes() const { return floating ? 4 : depth > 8 ? 2 : 1; }
};

/* Where a component's codes lie: bytes from row to row and from pixel to pixel. */
struct Component {
    const std::uint8_t *data = nullptr;
    std::ptrdiff_t row = 0, step = 0;
};
struct WritableComponent {
    std::uint8_t *data = nullptr;
    std::ptrdiff_t row = 0, step = 0;
};

/* R, G, B or Y, Cb, Cr. */
struct Picture {
    Component parts[3];
};
struct WritablePicture {
    WritableComponent parts[3];
};

/* Matrix and transfer as numbers of ITU-T H.273. */
struct Colour {
    int matrix = 1;
    bool full_range = false;
};

/* Where chroma samples of halved axes lie, by H.273's numbers less one, as VapourSynth counts them. */
enum class ChromaLocation { left = 0, centre = 1, top_left = 2, top = 3, bottom_left = 4, bottom = 5 };

/* The matrix to convert by: where none is named BT.2020 for HDR transfers, else what players assume from the size.
 * Throws Error for one that cannot be converted. */
int usable_matrix(int matrix, int transfer, Size size);

}  // namespace edgesr

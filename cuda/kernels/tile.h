// Pictures of features, height x width x C, and the tiles of them that blocks keep in shared memory.
//
// A tile has 32 columns and one more at each side. A pixel's bytes are chunks of 16; chunks change places from pixel to
// pixel, so that eight neighbours' lie in different banks.
#pragma once

#include "machine.h"

namespace tile {

constexpr int kColumns = 32;
constexpr int kHaloColumns = kColumns + 2;

// `pixel`: bytes of a pixel, 16, 32 or 64.
template <int pixel> struct Layout {
    static constexpr int row = kHaloColumns * pixel;
    static constexpr int chunks = pixel / 16;
    DEVICE static int twist(int column) { return pixel == 64 ? column >> 1 & 3 : pixel == 32 ? column >> 2 & 1 : 0; }
    DEVICE static int place(int y, int column, int chunk) {
        return y * row + column * pixel + ((chunk ^ twist(column)) << 4);
    }
};

struct Picture {
    const void *pixels;
    int height, width;
};

// Which tile of a picture a block computes, counted along rows: `across` in one row of tiles.
struct Corner {
    int y, x;
    DEVICE Corner(int number, int across, int rows, int columns)
        : y(number / across * rows), x(number % across * columns) {}
};

// Starts the copy of `rows` rows from `corner` on, halo columns included; beyond the picture there are zeros.
template <int pixel, int threads>
DEVICE void fetch(const Picture &picture, const Corner &corner, int halo, int rows, int to) {
    typedef Layout<pixel> L;
    const int pieces = rows * kHaloColumns * L::chunks;
    for (int i = gpu::thread(); i < pieces; i += threads) {
        const int chunk = i % L::chunks, column = i / L::chunks % kHaloColumns, r = i / (L::chunks * kHaloColumns);
        const int y = corner.y - halo + r, x = corner.x - halo + column;
        const bool present = gpu::inside(y, picture.height) && gpu::inside(x, picture.width);
        const long long at = present ? (static_cast<long long>(y) * picture.width + x) * pixel + chunk * 16 : 0;
        gpu::copy16(to + L::place(r, column, chunk), static_cast<const char *>(picture.pixels) + at, present);
    }
}

// Starts the copy of packed weights, `quads` times 16 bytes, to the start of shared memory.
template <int threads> DEVICE void fetch_weights(const Word4 *weights, int quads) {
    for (int i = gpu::thread(); i < quads; i += threads) gpu::copy16(i * 16, weights + i, true);
}

}  // namespace tile

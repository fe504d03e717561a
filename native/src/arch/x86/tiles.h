// Tiles of AMX: eight of 16 rows of 64 bytes. Their permission is asked for in processor.cpp.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "common/inline.h"

namespace {

struct __attribute__((packed)) TileConfiguration {
    std::uint8_t palette, start_row, reserved[14];
    std::uint16_t row_bytes[16];
    std::uint8_t rows[16];
};

// Not a local object: GCC 12 takes the stores to one for dead.
alignas(64) const TileConfiguration kTiles{
    1, 0, {}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

void begin_tiles() { _tile_loadconfig(&kTiles); }
void end_tiles() { _tile_release(); }

constexpr int kTileRow = 64;  // bytes

// The tiles that products are summed in, where there are four of them.
ESR_INLINE void zero_sums() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

}  // namespace

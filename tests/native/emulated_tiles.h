// AMX's tiles in software, for processors without them: included ahead of the sources that use tiles. Palette 1 alone, all
// tiles of 16 rows of 64 bytes, as edge_sr's kernels configure them.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#undef _tile_dpbusd
#undef _tile_dpbsud

namespace emulated {

constexpr int kRows = 16, kRowBytes = 64, kColumns = 16;
using Tile = unsigned char[kRows][kRowBytes];
inline thread_local Tile tiles[8];

inline void load(int tile, const void *from, std::ptrdiff_t pitch) {
    for (int row = 0; row < kRows; ++row)
        std::memcpy(tiles[tile][row], static_cast<const char *>(from) + row * pitch, kRowBytes);
}
inline void store(int tile, void *to, std::ptrdiff_t pitch) {
    for (int row = 0; row < kRows; ++row) std::memcpy(static_cast<char *>(to) + row * pitch, tiles[tile][row], kRowBytes);
}

inline float value(std::uint16_t half) {
    const std::uint32_t word = std::uint32_t(half) << 16;
    float result;
    std::memcpy(&result, &word, sizeof(result));
    return result;
}

// Sums += left by right: words of `Left` and `Right`, as many as fit into four bytes, product(l, r) each.
template <class Sum, class Left, class Right, class Product>
void multiply(int sum, int left, int right, const Product &product) {
    constexpr int words = 4 / sizeof(Left), depth = kRowBytes / sizeof(Left);
    for (int row = 0; row < kRows; ++row) {
        Sum sums[kColumns];
        Left from[depth];
        std::memcpy(sums, tiles[sum][row], kRowBytes);
        std::memcpy(from, tiles[left][row], kRowBytes);
        for (int k = 0; k < kColumns; ++k) {
            Right by[depth];
            std::memcpy(by, tiles[right][k], kRowBytes);
            for (int column = 0; column < kColumns; ++column)
                for (int word = 0; word < words; ++word)
                    sums[column] += product(from[k * words + word], by[column * words + word]);
        }
        std::memcpy(tiles[sum][row], sums, kRowBytes);
    }
}

inline void multiply_halves(int sum, int left, int right) {
    multiply<float, std::uint16_t, std::uint16_t>(sum, left, right, [](auto l, auto r) { return value(l) * value(r); });
}
template <class Left, class Right>
void multiply_bytes(int sum, int left, int right) {
    multiply<std::int32_t, Left, Right>(sum, left, right, [](auto l, auto r) { return std::int32_t(l) * r; });
}

}  // namespace emulated

#define _tile_loadconfig(configuration) static_cast<void>(configuration)
#define _tile_release() static_cast<void>(0)
#define _tile_zero(tile) std::memset(emulated::tiles[tile], 0, sizeof(emulated::Tile))
#define _tile_loadd(tile, from, pitch) emulated::load(tile, from, pitch)
#define _tile_stored(tile, to, pitch) emulated::store(tile, to, pitch)
#define _tile_dpbf16ps(sum, left, right) emulated::multiply_halves(sum, left, right)
#define _tile_dpbusd(sum, left, right) (emulated::multiply_bytes<std::uint8_t, std::int8_t>(sum, left, right))
#define _tile_dpbsud(sum, left, right) (emulated::multiply_bytes<std::int8_t, std::uint8_t>(sum, left, right))

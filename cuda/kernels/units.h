// The decoder's layers on a warp's 32 pixels, two strips of 16, in registers. Units are the columns of the products: a
// lane's sums of one layer are, rounded to float16, just what the next layer's product wants of that lane.
//
// A layer of `width` units, a multiple of 16, has width / 8 tiles of columns. Unit 2 tiles t + 2 j + e is column
// 8 j + 2 t + e: so lane t of a pixel's four needs 2 tiles adjacent maps, which lie in memory as the encoder wrote them.
#pragma once

#include "machine.h"

namespace units {

constexpr int kPixels = 4;  // a lane's: lane / 4 and those 8, 16 and 24 further

// What a lane reads of one pixel's maps for one layer, or holds of its activations: a word is units 2 j and 2 j + 1.
template <int width> struct Words {
    static constexpr int tiles = width / 8;
    unsigned at[tiles];
    DEVICE float even(int j) const { return gpu::low_half(at[j]); }
    DEVICE float odd(int j) const { return gpu::high_half(at[j]); }
};

// `by_quads`: the words lie 16 bytes aligned, else 8.
template <int width, bool by_quads> DEVICE Words<width> read(const char *from) {
    Words<width> words;
    if (by_quads) {
        UNROLL
        for (int i = 0; i < width / 32; ++i) {
            const Word4 q = gpu::load_constant(reinterpret_cast<const Word4 *>(from) + i);
            words.at[4 * i] = q.x, words.at[4 * i + 1] = q.y, words.at[4 * i + 2] = q.z, words.at[4 * i + 3] = q.w;
        }
    } else {
        UNROLL
        for (int i = 0; i < width / 16; ++i) {
            const Word2 q = gpu::load_constant(reinterpret_cast<const Word2 *>(from) + i);
            words.at[2 * i] = q.x, words.at[2 * i + 1] = q.y;
        }
    }
    return words;
}
template <int width> DEVICE void write(char *to, const Words<width> &words) {
    UNROLL
    for (int i = 0; i < width / 16; ++i)
        gpu::store(reinterpret_cast<Word2 *>(to) + i, Word2{words.at[2 * i], words.at[2 * i + 1]});
}

// One strip's operand for 16 units: pixels lane / 4 and the one 8 further, columns 2 j and 2 j + 1 of both.
template <int width> struct Activations {
    Words<width> pixel[kPixels];
    DEVICE Word4 operand(int strip, int step) const {
        const Words<width> &near = pixel[2 * strip], &far = pixel[2 * strip + 1];
        return {near.at[2 * step], far.at[2 * step], near.at[2 * step + 1], far.at[2 * step + 1]};
    }
};

}  // namespace units

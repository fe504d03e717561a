// A network in training: what it is made of, and its parameters in the order in which they cross the C interface.
#pragma once

#include <cstddef>
#include <vector>

#include "esr_native.h"

namespace esr::training {

// Decoder layers are computed this wide; narrower ones have channels of zeros.
constexpr int kWidth = 32;
constexpr int kTaps = 9, kColours = 3, kPositions = 3;

struct Form {
    int channels, blocks, layers;
    std::vector<int> widths;

    int convolutions() const { return 2 * blocks + 2; }  // head, two a block, tail
    int maps() const { return kWidth * layers; }
    int width_before(int layer) const { return layer ? widths[layer - 1] : 0; }

    // Each parameter is a weight, its bias after it: convolutions, modulation and synthesis layers, the last layer.
    int modulation(int layer) const { return 2 * (convolutions() + layer); }
    int synthesis(int layer) const { return 2 * (convolutions() + layers + layer); }
    int last() const { return 2 * (convolutions() + 2 * layers); }
    int parameters() const { return last() + 2; }
};

// A patch of LR pixels, row after row with a pixel of zeros around it, as one run: a tap is a step along it.
struct Geometry {
    int patch, pitch, first, count, total;

    explicit Geometry(int patch_)
        : patch(patch_), pitch(patch_ + 2), first(kLead + pitch), count(rounded(patch_ * pitch, kBlock)), total(0) {
        total = rounded(first + count + pitch + kLead, kBlock / 2);
        // Planes that lie a multiple of 4 kB apart would meet in the same lines of a cache.
        if (total / (kBlock / 2) % 2 == 0) total += kBlock / 2;
    }
    // Of the pixel in row y, column x.
    int at(int y, int x) const { return first + y * pitch + x + 1; }
    int tap(int index) const { return (index / 3 - 1) * pitch + index % 3 - 1; }

private:
    static constexpr int kLead = 64, kBlock = 64;

    static int rounded(int value, int step) { return (value + step - 1) / step * step; }
};

}  // namespace esr::training

/* Sizes of pictures in exact integers, by the rules of edge_sr/sizes.py. */
#pragma once

#include <cstdint>
#include <string>

namespace edgesr {

struct Size {
    int width = 0, height = 0;
    bool operator==(const Size &other) const { return width == other.width && height == other.height; }
    bool operator!=(const Size &other) const { return !(*this == other); }
};

/* What was asked for: exactly one of a scale (0 for none), both sides, or a height alone. */
struct SizeRequest {
    double scale = 0;
    int width = 0, height = 0;
};

/* Pixel aspect, or any ratio, of positive numbers. */
struct Ratio {
    std::int64_t over = 1, under = 1;
};

std::string text(Size size);

/* The output's size for pictures of `given`. Where chroma is halved (`across` or `down` is 2) a computed odd side goes
 * up to even and an odd one that was asked for is refused. Throws Error for none or several requests, and for
 * shrinking. */
Size output_size(Size given, const SizeRequest &request, int across, int down);

/* The pixel aspect that keeps the displayed shape; what rounding changes of it is left alone. */
Ratio pixel_aspect(Ratio aspect, Size before, Size after);

}  // namespace edgesr

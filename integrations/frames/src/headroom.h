/* Luma beyond the black and white of limited range, as in edge_sr/video/frames/headroom.py: RGB in [0, 1] has no place
 * for it, so it goes round the network, is enlarged linearly, and added to the luma of what the network makes. */
#pragma once

#include <vector>

#include "picture.h"

namespace edgesr {

class Headroom {
public:
    Headroom(const PixelFormat &format, Size given, Size wanted);

    /* Adds what `luma` has beyond to `out`; nothing for RGB and full range. */
    void carry_over(const Component &luma, const Colour &colour, const WritableComponent &out, int threads) const;

private:
    /* An output sample lies between source samples `first` and `second`, at that share of the way. */
    struct Place {
        int first, second;
        float share;
    };
    static std::vector<Place> places(int given, int wanted);
    std::vector<char> rows_beyond(const Component &luma, int threads) const;

    PixelFormat format_;
    Size given_, wanted_;
    int black_, white_;
    std::vector<Place> across_, down_;
};

}  // namespace edgesr

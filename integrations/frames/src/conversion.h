/* Pictures to the network's RGB and back, by the same arithmetic as edge_sr/video/frames/pixels.py. */
#pragma once

#include "picture.h"
#include "taps.h"

namespace edgesr {

/* What converting a picture of one size and format needs: filters for halved chroma, kept from frame to frame. */
class Conversion {
public:
    Conversion(const PixelFormat &format, Size size, ChromaLocation location);

    /* RGB interleaved: uint8 where the format fits it, else float32 in [0, 1]. */
    void to_rgb(const Picture &picture, const Colour &colour, void *rgb, int threads) const;
    void from_rgb(const void *rgb, const Colour &colour, const WritablePicture &picture, int threads) const;

private:
    void bytes_to_rgb(const Picture &picture, const Colour &colour, std::uint8_t *rgb, int threads) const;
    void bytes_from_rgb(const std::uint8_t *rgb, const Colour &colour, const WritablePicture &picture,
                        int threads) const;
    void deep_to_rgb(const Picture &picture, const Colour &colour, float *rgb, int threads) const;
    void deep_from_rgb(const float *rgb, const Colour &colour, const WritablePicture &picture, int threads) const;
    void plain_to_rgb(const Picture &picture, void *rgb, int threads) const;
    void plain_from_rgb(const void *rgb, const WritablePicture &picture, int threads) const;

    PixelFormat format_;
    Size size_, chroma_;
    Taps up_across_, up_down_, down_across_, down_down_;
};

}  // namespace edgesr

#include "conversion.h"

namespace edgesr {

Conversion::Conversion(const PixelFormat &format, Size size, ChromaLocation location)
    : format_(format),
      size_(size),
      chroma_{(size.width + format.half_width) >> format.half_width,
              (size.height + format.half_height) >> format.half_height} {
    if (format.rgb) return;
    const int across = format.half_width ? position_across(location) : kMiddle;
    const int down = format.half_height ? position_down(location) : kMiddle;
    up_across_ = bicubic_taps(chroma_.width, size.width, across, kMiddle, kAcrossBits);
    up_down_ = bicubic_taps(chroma_.height, size.height, down, kMiddle, kDownBits);
    down_across_ = bicubic_taps(size.width, chroma_.width, kMiddle, across, kAcrossBits);
    down_down_ = bicubic_taps(size.height, chroma_.height, kMiddle, down, kDownBits);
}

void Conversion::to_rgb(const Picture &picture, const Colour &colour, void *rgb, int threads) const {
    if (format_.rgb) plain_to_rgb(picture, rgb, threads);
    else if (format_.fits_uint8()) bytes_to_rgb(picture, colour, static_cast<std::uint8_t *>(rgb), threads);
    else deep_to_rgb(picture, colour, static_cast<float *>(rgb), threads);
}

void Conversion::from_rgb(const void *rgb, const Colour &colour, const WritablePicture &picture, int threads) const {
    if (format_.rgb) plain_from_rgb(rgb, picture, threads);
    else if (format_.fits_uint8()) bytes_from_rgb(static_cast<const std::uint8_t *>(rgb), colour, picture, threads);
    else deep_from_rgb(static_cast<const float *>(rgb), colour, picture, threads);
}

}  // namespace edgesr

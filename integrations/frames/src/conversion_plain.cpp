/* RGB pictures: nothing to convert but where the samples lie and how they are counted. */
#include <cmath>

#include "components.h"
#include "conversion.h"
#include "rows.h"

namespace edgesr {

void Conversion::plain_to_rgb(const Picture &picture, void *rgb, int threads) const {
    const std::size_t width = std::size_t(size_.width);
    const float top = float((1 << format_.depth) - 1);
    share_rows(size_.height, threads, [&](int begin, int end) {
        std::vector<std::int32_t> codes(width);
        std::vector<float> values(width);
        for (int y = begin; y < end; ++y)
            for (std::size_t part = 0; part < 3; ++part) {
                const std::size_t at = 3 * width * std::size_t(y) + part;
                if (format_.floating) load_floats(picture.parts[part], y, size_.width, values.data());
                else load_codes(picture.parts[part], format_, y, size_.width, codes.data());
                if (format_.fits_uint8())
                    for (std::size_t x = 0; x < width; ++x)
                        static_cast<std::uint8_t *>(rgb)[at + 3 * x] = std::uint8_t(codes[x]);
                else
                    for (std::size_t x = 0; x < width; ++x)
                        static_cast<float *>(rgb)[at + 3 * x] = format_.floating ? values[x] : float(codes[x]) / top;
            }
    });
}

void Conversion::plain_from_rgb(const void *rgb, const WritablePicture &picture, int threads) const {
    const std::size_t width = std::size_t(size_.width);
    const float top = float((1 << format_.depth) - 1);
    share_rows(size_.height, threads, [&](int begin, int end) {
        std::vector<std::int32_t> codes(width);
        std::vector<float> values(width);
        for (int y = begin; y < end; ++y)
            for (std::size_t part = 0; part < 3; ++part) {
                const std::size_t at = 3 * width * std::size_t(y) + part;
                for (std::size_t x = 0; x < width; ++x) {
                    if (format_.fits_uint8()) codes[x] = static_cast<const std::uint8_t *>(rgb)[at + 3 * x];
                    else values[x] = static_cast<const float *>(rgb)[at + 3 * x];
                    if (!format_.fits_uint8() && !format_.floating)
                        codes[x] = std::int32_t(std::nearbyint(values[x] * top));
                }
                if (format_.floating) store_floats(values.data(), picture.parts[part], y, size_.width);
                else store_codes(codes.data(), picture.parts[part], format_, y, size_.width);
            }
    });
}

}  // namespace edgesr

/* Rows of a picture's components as integers or floats, and back. */
#pragma once

#include "picture.h"

namespace edgesr {

void load_codes(const Component &part, const PixelFormat &format, int y, int width, std::int32_t *codes);
void store_codes(const std::int32_t *codes, const WritableComponent &part, const PixelFormat &format, int y, int width);
/* float32 samples, kept in [0, 1]; what is no number becomes 0. */
void load_floats(const Component &part, int y, int width, float *values);
void store_floats(const float *values, const WritableComponent &part, int y, int width);

}  // namespace edgesr

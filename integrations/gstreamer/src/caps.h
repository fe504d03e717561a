/* What the element makes of caps: sizes, and the pixel aspect that keeps the displayed shape. */
#pragma once

#include <gst/video/video.h>

#include "sizes.h"

namespace edgesr {

/* The caps of the other side for `caps` of the side that `direction` names. With nothing requested the output may have
 * any size from the input's on. */
GstCaps *other_caps(GstPadDirection direction, GstCaps *caps, const SizeRequest &request);

/* Throws Error where the sizes settled on are not what was requested, or the request fits nothing. */
void check_size(const GstVideoInfo &given, const GstVideoInfo &wanted, const SizeRequest &request);

/* Settles on one size, format and pixel aspect for `others` (which is taken), given fixed `caps` of the input. */
GstCaps *settled_caps(GstCaps *caps, GstCaps *others, const SizeRequest &request);

}  // namespace edgesr

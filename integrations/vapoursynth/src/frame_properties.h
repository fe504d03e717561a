/* Frame properties by VapourSynth's conventions: read before, set after. */
#pragma once

#include <VapourSynth4.h>

#include "picture.h"

namespace edgesr {

struct FrameProperties {
    Colour colour;
    ChromaLocation location = ChromaLocation::left;
    Ratio aspect;
};

/* Where the clip names no matrix, range or location, what VapourSynth and players assume. Throws Error for a frame that
 * is interlaced or whose matrix cannot be converted. */
FrameProperties read_properties(const VSFrame *frame, const VSAPI *api);

/* Says of an enlarged frame what it was converted by, and keeps its displayed shape. */
void set_properties(VSFrame *frame, const FrameProperties &properties, const PixelFormat &format, Size given,
                    Size wanted, const VSAPI *api);

}  // namespace edgesr

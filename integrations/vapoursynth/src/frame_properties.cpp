#include "frame_properties.h"

#include "error.h"

namespace edgesr {
namespace {

constexpr int kUnspecified = 2;

int value(const VSMap *map, const char *name, int otherwise, const VSAPI *api) {
    int missing = 0;
    const int found = api->mapGetIntSaturated(map, name, 0, &missing);
    return missing ? otherwise : found;
}

/* `_Range` (since API 4.2) is 1 for full range, `_ColorRange` before it was 0. */
bool full_range(const VSMap *map, const VSAPI *api) {
    const int range = value(map, "_Range", -1, api);
    return range >= 0 ? range == 1 : value(map, "_ColorRange", 1, api) == 0;
}

ChromaLocation location(const VSMap *map, const VSAPI *api) {
    const int found = value(map, "_ChromaLocation", 0, api);
    if (found < 0 || found > 5) throw Error("_ChromaLocation must lie between 0 and 5, found " + std::to_string(found));
    return ChromaLocation(found);
}

}  // namespace

FrameProperties read_properties(const VSFrame *frame, const VSAPI *api) {
    const VSMap *map = api->getFramePropertiesRO(frame);
    if (value(map, "_FieldBased", 0, api) != 0)
        throw Error("the frame is interlaced (_FieldBased): deinterlace the clip first");
    const Size size{api->getFrameWidth(frame, 0), api->getFrameHeight(frame, 0)};
    FrameProperties properties;
    properties.colour = {kUnspecified, full_range(map, api)};
    properties.location = location(map, api);
    if (api->getVideoFrameFormat(frame)->colorFamily == cfYUV)
        properties.colour.matrix =
            usable_matrix(value(map, "_Matrix", kUnspecified, api), value(map, "_Transfer", kUnspecified, api), size);
    const Ratio aspect{value(map, "_SARNum", 1, api), value(map, "_SARDen", 1, api)};
    if (aspect.over > 0 && aspect.under > 0) properties.aspect = aspect;
    return properties;
}

void set_properties(VSFrame *frame, const FrameProperties &properties, const PixelFormat &format, Size given,
                    Size wanted, const VSAPI *api) {
    VSMap *map = api->getFramePropertiesRW(frame);
    if (!format.rgb) {
        const bool full = properties.colour.full_range;
        api->mapSetInt(map, "_Matrix", properties.colour.matrix, maReplace);
        api->mapSetInt(map, "_Range", full, maReplace);
        if (api->mapNumElements(map, "_ColorRange") > 0) api->mapSetInt(map, "_ColorRange", !full, maReplace);
        if (format.half_width || format.half_height)
            api->mapSetInt(map, "_ChromaLocation", int(properties.location), maReplace);
    }
    const Ratio aspect = pixel_aspect(properties.aspect, given, wanted);
    if (aspect.over == properties.aspect.over && aspect.under == properties.aspect.under) return;
    api->mapSetInt(map, "_SARNum", aspect.over, maReplace);
    api->mapSetInt(map, "_SARDen", aspect.under, maReplace);
}

}  // namespace edgesr

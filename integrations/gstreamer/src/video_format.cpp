#include "video_format.h"

namespace edgesr {

const char kFormats[] =
    "{ I420, YV12, NV12, NV21, P010_10LE, I420_10LE, I420_12LE, Y42B, I422_10LE, I422_12LE, Y444, Y444_10LE, "
    "Y444_12LE, "
    "RGB, BGR, RGBx, BGRx, xRGB, xBGR, GBR, GBR_10LE, GBR_12LE }";

PixelFormat pixel_format(const GstVideoInfo &info) {
    const GstVideoFormatInfo *about = info.finfo;
    PixelFormat format;
    format.rgb = GST_VIDEO_FORMAT_INFO_IS_RGB(about);
    format.depth = int(GST_VIDEO_FORMAT_INFO_DEPTH(about, 0));
    format.shift = format.depth > 8 ? int(GST_VIDEO_FORMAT_INFO_SHIFT(about, 0)) : 0;
    if (!format.rgb) {
        format.half_width = int(GST_VIDEO_FORMAT_INFO_W_SUB(about, 1));
        format.half_height = int(GST_VIDEO_FORMAT_INFO_H_SUB(about, 1));
    }
    return format;
}

Colour colour(const GstVideoInfo &info) {
    const GstVideoColorimetry &about = info.colorimetry;
    const bool full = about.range == GST_VIDEO_COLOR_RANGE_0_255;
    if (GST_VIDEO_INFO_IS_RGB(&info)) return {1, true};
    const int matrix = int(gst_video_color_matrix_to_iso(about.matrix));
    const int transfer = int(gst_video_transfer_function_to_iso(about.transfer));
    return {usable_matrix(matrix, transfer, {info.width, info.height}), full};
}

ChromaLocation chroma_location(const GstVideoInfo &info, const GstCaps *caps) {
    /* GStreamer fills in a place of its own; players, and upscale, take another one. */
    if (!gst_structure_has_field(gst_caps_get_structure(caps, 0), "chroma-site"))
        return info.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255 ? ChromaLocation::centre : ChromaLocation::left;
    switch (info.chroma_site) {
        case GST_VIDEO_CHROMA_SITE_NONE: return ChromaLocation::centre;
        case GST_VIDEO_CHROMA_SITE_V_COSITED: return ChromaLocation::top;
        case GST_VIDEO_CHROMA_SITE_COSITED: /* Decoders of FFmpeg call it the next one. */
        case GST_VIDEO_CHROMA_SITE_DV: return ChromaLocation::top_left;
        default: return ChromaLocation::left;
    }
}

namespace {

/* GStreamer counts P010's second chroma component one byte after the first, whose codes have two. */
int quirk(const GstVideoFrame &frame, guint part) {
    return GST_VIDEO_FRAME_COMP_DEPTH(&frame, part) > 8 ? GST_VIDEO_FRAME_COMP_POFFSET(&frame, part) % 2 : 0;
}

template <class Byte, class Result>
Result parts_of(const GstVideoFrame &frame) {
    Result result;
    for (guint i = 0; i < 3; ++i)
        result.parts[i] = {static_cast<Byte *>(GST_VIDEO_FRAME_COMP_DATA(&frame, i)) + quirk(frame, i),
                           GST_VIDEO_FRAME_COMP_STRIDE(&frame, i), GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, i)};
    return result;
}

}  // namespace

Picture picture(const GstVideoFrame &frame) { return parts_of<const std::uint8_t, Picture>(frame); }

WritablePicture writable_picture(GstVideoFrame &frame) { return parts_of<std::uint8_t, WritablePicture>(frame); }

void fill_unused(GstVideoFrame &frame) {
    if (GST_VIDEO_FRAME_N_PLANES(&frame) != 1 || GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, 0) != 4) return;
    int unused = 6;
    for (guint i = 0; i < 3; ++i) unused -= GST_VIDEO_FRAME_COMP_POFFSET(&frame, i);
    for (int y = 0; y < GST_VIDEO_FRAME_HEIGHT(&frame); ++y) {
        auto *row = static_cast<guint8 *>(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0)) +
                    std::ptrdiff_t(y) * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);
        for (int x = 0; x < GST_VIDEO_FRAME_WIDTH(&frame); ++x) row[4 * x + unused] = 255;
    }
}

}  // namespace edgesr

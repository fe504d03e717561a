#include "caps.h"

#include "error.h"

namespace edgesr {
namespace {

constexpr int kSmallestSide = 4, kLargestSide = 65536;
/* How much larger pictures become where neither properties nor the next element say. */
constexpr int kUnaskedScale = 2;

bool is_empty(const SizeRequest &request) { return request.scale == 0 && request.width == 0 && request.height == 0; }

bool fixed_size(const GstStructure *structure, Size &size) {
    return gst_structure_get_int(structure, "width", &size.width) &&
           gst_structure_get_int(structure, "height", &size.height);
}

void set_size(GstStructure *structure, Size size) {
    gst_structure_set(structure, "width", G_TYPE_INT, size.width, "height", G_TYPE_INT, size.height, nullptr);
}

void set_size_range(GstStructure *structure, Size least, Size most) {
    const auto set = [structure](const char *side, int from, int to) {
        if (from == to) gst_structure_set(structure, side, G_TYPE_INT, from, nullptr);
        else gst_structure_set(structure, side, GST_TYPE_INT_RANGE, from, to, nullptr);
    };
    set("width", least.width, most.width);
    set("height", least.height, most.height);
}

void allow_any_aspect(GstStructure *structure) {
    if (gst_structure_has_field(structure, "pixel-aspect-ratio"))
        gst_structure_set(structure, "pixel-aspect-ratio", GST_TYPE_FRACTION_RANGE, 1, G_MAXINT, G_MAXINT, 1, nullptr);
}

/* The format of fixed caps where it is YUV; nullptr for RGB, and where they name several. */
const GstVideoFormatInfo *yuv_format(const GstStructure *structure) {
    const char *name = gst_structure_get_string(structure, "format");
    const GstVideoFormat format = name ? gst_video_format_from_string(name) : GST_VIDEO_FORMAT_UNKNOWN;
    if (format == GST_VIDEO_FORMAT_UNKNOWN) return nullptr;
    const GstVideoFormatInfo *about = gst_video_format_get_info(format);
    return GST_VIDEO_FORMAT_INFO_IS_YUV(about) ? about : nullptr;
}

/* By how much chroma is halved. */
Size halving(const GstStructure *structure) {
    const GstVideoFormatInfo *about = yuv_format(structure);
    if (!about) return {1, 1};
    return {1 << GST_VIDEO_FORMAT_INFO_W_SUB(about, 1), 1 << GST_VIDEO_FORMAT_INFO_H_SUB(about, 1)};
}

/* Decoders of FFmpeg name colorimetry that knows no matrix: keep_colours says later what it was taken for. */
void open_unknown_matrix(GstStructure *structure) {
    const char *name = gst_structure_get_string(structure, "colorimetry");
    GstVideoColorimetry about;
    if (name && yuv_format(structure) && gst_video_colorimetry_from_string(&about, name) &&
        about.matrix == GST_VIDEO_COLOR_MATRIX_UNKNOWN)
        gst_structure_remove_field(structure, "colorimetry");
}

Size wanted_size(const GstStructure *structure, Size given, const SizeRequest &request) {
    const Size halved = halving(structure);
    return output_size(given, request, halved.width, halved.height);
}

/* Where the input cannot become what was requested any size is left open: checked_size tells of it in words. */
void widen_output(GstStructure *structure, const SizeRequest &request) {
    const Size most{kLargestSide, kLargestSide};
    Size given;
    allow_any_aspect(structure);
    open_unknown_matrix(structure);
    if (!fixed_size(structure, given)) {
        set_size_range(structure, {kSmallestSide, kSmallestSide}, most);
        return;
    }
    set_size_range(structure, given, most);
    if (is_empty(request)) return;
    try {
        set_size(structure, wanted_size(structure, given, request));
    } catch (const Error &) {
    }
}

void widen_input(GstStructure *structure) {
    Size most{kLargestSide, kLargestSide};
    fixed_size(structure, most);
    set_size_range(structure, {kSmallestSide, kSmallestSide}, most);
    allow_any_aspect(structure);
}

Ratio aspect_of(const GstVideoInfo &info) { return {GST_VIDEO_INFO_PAR_N(&info), GST_VIDEO_INFO_PAR_D(&info)}; }

/* What a player assumes of untagged video depends on its size, so the output says what the input was taken for. */
void keep_colours(GstStructure *structure, const GstVideoInfo &info) {
    if (!GST_VIDEO_INFO_IS_YUV(&info)) return;
    if (gchar *name = gst_structure_has_field(structure, "colorimetry")
                          ? nullptr
                          : gst_video_colorimetry_to_string(&info.colorimetry)) {
        gst_structure_set(structure, "colorimetry", G_TYPE_STRING, name, nullptr);
        g_free(name);
    }
}

}  // namespace

GstCaps *other_caps(GstPadDirection direction, GstCaps *caps, const SizeRequest &request) {
    GstCaps *result = gst_caps_new_empty();
    for (guint i = 0; i < gst_caps_get_size(caps); ++i) {
        GstStructure *structure = gst_structure_copy(gst_caps_get_structure(caps, i));
        if (direction == GST_PAD_SINK) widen_output(structure, request);
        else widen_input(structure);
        gst_caps_append_structure_full(result, structure, gst_caps_features_copy(gst_caps_get_features(caps, i)));
    }
    return result;
}

void check_size(const GstVideoInfo &given, const GstVideoInfo &wanted, const SizeRequest &request) {
    const Size from{given.width, given.height}, to{wanted.width, wanted.height};
    if (is_empty(request)) output_size(from, {0, to.width, to.height}, 1, 1);
    else
        output_size(from, request, 1 << GST_VIDEO_FORMAT_INFO_W_SUB(given.finfo, 1),
                    1 << GST_VIDEO_FORMAT_INFO_H_SUB(given.finfo, 1));
}

GstCaps *settled_caps(GstCaps *caps, GstCaps *others, const SizeRequest &request) {
    others = gst_caps_make_writable(gst_caps_truncate(others));
    GstVideoInfo info;
    if (!gst_video_info_from_caps(&info, caps)) return gst_caps_fixate(others);
    GstStructure *structure = gst_caps_get_structure(others, 0);
    const Size given{info.width, info.height};
    if (is_empty(request)) {
        gst_structure_fixate_field_nearest_int(structure, "width", kUnaskedScale * given.width);
        gst_structure_fixate_field_nearest_int(structure, "height", kUnaskedScale * given.height);
    }
    Size size;
    if (fixed_size(structure, size)) {
        const Ratio aspect = pixel_aspect(aspect_of(info), given, size);
        if (!gst_structure_has_field(structure, "pixel-aspect-ratio"))
            gst_structure_set(structure, "pixel-aspect-ratio", GST_TYPE_FRACTION, int(aspect.over), int(aspect.under),
                              nullptr);
        else
            gst_structure_fixate_field_nearest_fraction(structure, "pixel-aspect-ratio", int(aspect.over),
                                                        int(aspect.under));
    }
    keep_colours(structure, info);
    return gst_caps_fixate(others);
}

}  // namespace edgesr

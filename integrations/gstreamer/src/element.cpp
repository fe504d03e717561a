#include "element.h"

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "caps.h"
#include "error.h"
#include "frame_upscaler.h"
#include "kernels.h"
#include "video_format.h"

GST_DEBUG_CATEGORY_STATIC(edgesr_debug);
#define GST_CAT_DEFAULT edgesr_debug

namespace {

using namespace edgesr;

enum Property { kScale = 1, kWidth, kHeight, kModel, kBackend, kPrecision, kThreads };

struct Settings {
    SizeRequest size;
    std::string model = "diinn-edge", backend = "auto", precision = "auto";
    int threads = 0;
};

/* What lives between a start and its stop; opening the network is kept for caps that take the same one. */
struct Running {
    Bundle bundle;
    std::string precision;
    std::shared_ptr<const Network> network;
    std::unique_ptr<FrameUpscaler> upscaler;
    Colour colour;
};

std::string shipped_bundles() {
    const char *named = std::getenv("EDGE_SR_BUNDLES");
    return named ? named : EDGESR_BUNDLES;
}

/* A frame's time as told to the pipeline: told anew where it grows, and by steps that do not make it restless. */
constexpr double kRestless = 1.25;

}  // namespace

struct _EdgesrUpscale {
    GstVideoFilter parent;
    std::mutex *mutex; /* guards settings and latency */
    Settings *settings;
    Running *running;
    GstClockTime latency;
};

G_DEFINE_TYPE(EdgesrUpscale, edgesr_upscale, GST_TYPE_VIDEO_FILTER)

namespace {

Settings settings_of(EdgesrUpscale *self) {
    const std::lock_guard<std::mutex> lock(*self->mutex);
    return *self->settings;
}

std::string as_text(const GValue *value) {
    const gchar *text = g_value_get_string(value);
    return text ? text : "";
}

void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
    EdgesrUpscale *self = EDGESR_UPSCALE(object);
    {
        const std::lock_guard<std::mutex> lock(*self->mutex);
        Settings &settings = *self->settings;
        switch (id) {
            case kScale: settings.size.scale = g_value_get_double(value); break;
            case kWidth: settings.size.width = g_value_get_int(value); break;
            case kHeight: settings.size.height = g_value_get_int(value); break;
            case kModel: settings.model = as_text(value); break;
            case kBackend: settings.backend = as_text(value); break;
            case kPrecision: settings.precision = as_text(value); break;
            case kThreads: settings.threads = g_value_get_int(value); break;
            default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        }
    }
    if (id <= kHeight) gst_base_transform_reconfigure_src(GST_BASE_TRANSFORM(self));
}

void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
    const Settings settings = settings_of(EDGESR_UPSCALE(object));
    switch (id) {
        case kScale: g_value_set_double(value, settings.size.scale); break;
        case kWidth: g_value_set_int(value, settings.size.width); break;
        case kHeight: g_value_set_int(value, settings.size.height); break;
        case kModel: g_value_set_string(value, settings.model.c_str()); break;
        case kBackend: g_value_set_string(value, settings.backend.c_str()); break;
        case kPrecision: g_value_set_string(value, settings.precision.c_str()); break;
        case kThreads: g_value_set_int(value, settings.threads); break;
        default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

void finalize(GObject *object) {
    EdgesrUpscale *self = EDGESR_UPSCALE(object);
    delete self->running;
    delete self->settings;
    delete self->mutex;
    G_OBJECT_CLASS(edgesr_upscale_parent_class)->finalize(object);
}

void refuse(EdgesrUpscale *self, const std::exception &error) {
    GST_ELEMENT_ERROR(self, LIBRARY, SETTINGS, ("%s", error.what()), (nullptr));
}

/* What no size changes is refused here: gst-launch loses an error that a stream meets before its main loop runs. */
gboolean start(GstBaseTransform *transform) {
    EdgesrUpscale *self = EDGESR_UPSCALE(transform);
    const Settings settings = settings_of(self);
    try {
        if (settings.backend != "auto" && settings.backend != "native")
            throw Error("backend must be auto or native, found '" + settings.backend + "'");
        self->running->precision = settings.precision == "auto" ? default_precision() : settings.precision;
        kernels_for(self->running->precision);
        self->running->bundle = open_bundle(settings.model, shipped_bundles());
    } catch (const std::exception &error) {
        refuse(self, error);
        return FALSE;
    }
    self->latency = 0;
    return TRUE;
}

gboolean stop(GstBaseTransform *transform) {
    *EDGESR_UPSCALE(transform)->running = {};
    return TRUE;
}

GstCaps *transform_caps(GstBaseTransform *transform, GstPadDirection direction, GstCaps *caps, GstCaps *filter) {
    EdgesrUpscale *self = EDGESR_UPSCALE(transform);
    GstCaps *result = other_caps(direction, caps, settings_of(self).size);
    if (filter) {
        GstCaps *within = gst_caps_intersect_full(filter, result, GST_CAPS_INTERSECT_FIRST);
        gst_caps_unref(result);
        result = within;
    }
    return result;
}

GstCaps *fixate_caps(GstBaseTransform *transform, GstPadDirection direction, GstCaps *caps, GstCaps *others) {
    if (direction == GST_PAD_SRC) return gst_caps_fixate(others);
    return settled_caps(caps, others, settings_of(EDGESR_UPSCALE(transform)).size);
}

void open(EdgesrUpscale *self, const GstVideoInfo &given, const GstVideoInfo &wanted, ChromaLocation chroma) {
    Running &running = *self->running;
    const PixelFormat format = pixel_format(given);
    check_size(given, wanted, settings_of(self).size);
    if (!running.network || running.network->float_pictures() == format.fits_uint8())
        running.network = std::make_shared<Network>(running.bundle, running.precision, !format.fits_uint8());
    running.colour = colour(given);
    running.upscaler = std::make_unique<FrameUpscaler>(running.network, format, Size{given.width, given.height},
                                                       Size{wanted.width, wanted.height}, chroma);
    GST_INFO_OBJECT(self, "%dx%d to %dx%d in %s", given.width, given.height, wanted.width, wanted.height,
                    running.network->precision().c_str());
}

gboolean set_info(GstVideoFilter *filter, GstCaps *caps, GstVideoInfo *given, GstCaps *, GstVideoInfo *wanted) {
    EdgesrUpscale *self = EDGESR_UPSCALE(filter);
    try {
        open(self, *given, *wanted, chroma_location(*given, caps));
        return TRUE;
    } catch (const std::exception &error) {
        refuse(self, error);
        return FALSE;
    }
}

void note_time(EdgesrUpscale *self, GstClockTime took) {
    bool grown = false;
    {
        const std::lock_guard<std::mutex> lock(*self->mutex);
        grown = double(took) > kRestless * double(self->latency);
        if (grown) self->latency = took;
    }
    if (grown) gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

GstFlowReturn transform_frame(GstVideoFilter *filter, GstVideoFrame *given, GstVideoFrame *wanted) {
    EdgesrUpscale *self = EDGESR_UPSCALE(filter);
    const int asked = settings_of(self).threads;
    const int threads = asked ? asked : std::max(1, int(std::thread::hardware_concurrency()));
    const GstClockTime began = gst_util_get_timestamp();
    try {
        self->running->upscaler->enlarge(picture(*given), writable_picture(*wanted), self->running->colour, threads);
    } catch (const std::exception &error) {
        GST_ELEMENT_ERROR(self, LIBRARY, FAILED, ("%s", error.what()), (nullptr));
        return GST_FLOW_ERROR;
    }
    fill_unused(*wanted);
    note_time(self, gst_util_get_timestamp() - began);
    return GST_FLOW_OK;
}

/* Upstream's latency and the time that a frame takes here. */
gboolean query(GstBaseTransform *transform, GstPadDirection direction, GstQuery *query) {
    if (!GST_BASE_TRANSFORM_CLASS(edgesr_upscale_parent_class)->query(transform, direction, query)) return FALSE;
    if (direction != GST_PAD_SRC || GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return TRUE;
    EdgesrUpscale *self = EDGESR_UPSCALE(transform);
    gboolean live;
    GstClockTime least, most;
    gst_query_parse_latency(query, &live, &least, &most);
    const std::lock_guard<std::mutex> lock(*self->mutex);
    if (most != GST_CLOCK_TIME_NONE) most += self->latency;
    gst_query_set_latency(query, live, least + self->latency, most);
    return TRUE;
}

void install_properties(GObjectClass *object) {
    const auto flags = GParamFlags(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
    const auto live = GParamFlags(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);
    const auto number = [&](Property id, const char *name, const char *nick, const char *about, int most,
                            GParamFlags with) {
        g_object_class_install_property(object, id, g_param_spec_int(name, nick, about, 0, most, 0, with));
    };
    const auto text = [&](Property id, const char *name, const char *nick, const char *about, const char *otherwise) {
        g_object_class_install_property(object, id, g_param_spec_string(name, nick, about, otherwise, flags));
    };
    g_object_class_install_property(
        object, kScale,
        g_param_spec_double(
            "scale", "Scale",
            "How much larger pictures become, 1 to 64 (0 = by width and height, or by what the next element asks for)",
            0, 64, 0, live));
    number(kWidth, "width", "Width", "Width of the output, with height (0 = unset)", 65536, live);
    number(kHeight, "height", "Height", "Height of the output; alone it keeps the shape (0 = unset)", 65536, live);
    text(kModel, "model", "Model", "A shipped model's name or a bundle's folder", "diinn-edge");
    text(kBackend, "backend", "Backend", "auto or native", "auto");
    text(kPrecision, "precision", "Precision", "auto, fp32, bf16 or int8", "auto");
    number(kThreads, "threads", "Threads", "Threads for one frame (0 = one for each core)", 256, flags);
}

void add_template(GstElementClass *element, const char *name, GstPadDirection direction) {
    const std::string text = std::string("video/x-raw, format = (string) ") + kFormats +
                             ", width = (int) [ 4, 65536 ], height = (int) [ 4, 65536 ], framerate = (fraction) [ 0, "
                             "max ], interlace-mode = (string) progressive";
    GstCaps *caps = gst_caps_from_string(text.c_str());
    gst_element_class_add_pad_template(element, gst_pad_template_new(name, direction, GST_PAD_ALWAYS, caps));
    gst_caps_unref(caps);
}

}  // namespace

static void edgesr_upscale_class_init(EdgesrUpscaleClass *type) {
    GST_DEBUG_CATEGORY_INIT(edgesr_debug, "edgesr", 0, "super-resolution");
    GObjectClass *object = G_OBJECT_CLASS(type);
    object->set_property = set_property;
    object->get_property = get_property;
    object->finalize = finalize;
    install_properties(object);

    GstElementClass *element = GST_ELEMENT_CLASS(type);
    gst_element_class_set_static_metadata(element, "Edge SR super-resolution", "Filter/Converter/Video/Scaler",
                                          "Enlarges video at any scale by a neural network", "The Edge SR authors");
    add_template(element, "sink", GST_PAD_SINK);
    add_template(element, "src", GST_PAD_SRC);

    GstBaseTransformClass *transform = GST_BASE_TRANSFORM_CLASS(type);
    transform->start = start;
    transform->stop = stop;
    transform->transform_caps = transform_caps;
    transform->fixate_caps = fixate_caps;
    transform->query = query;

    GstVideoFilterClass *filter = GST_VIDEO_FILTER_CLASS(type);
    filter->set_info = set_info;
    filter->transform_frame = transform_frame;
}

static void edgesr_upscale_init(EdgesrUpscale *self) {
    self->mutex = new std::mutex;
    self->settings = new Settings;
    self->running = new Running;
}

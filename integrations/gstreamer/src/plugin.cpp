#include <gst/gst.h>

#include "element.h"

static gboolean plugin_init(GstPlugin *plugin) {
    return gst_element_register(plugin, "edgesr", GST_RANK_NONE, EDGESR_TYPE_UPSCALE);
}

#define PACKAGE "edge-sr"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, edgesr, "Super-resolution at any scale", plugin_init, "0.1.0",
                  "Apache 2.0", "Edge SR", "https://edge-sr.github.io/edge-sr/")

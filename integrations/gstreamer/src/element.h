/* The element edgesr: a GstVideoFilter that enlarges. */
#pragma once

#include <gst/video/gstvideofilter.h>

G_BEGIN_DECLS

#define EDGESR_TYPE_UPSCALE (edgesr_upscale_get_type())
G_DECLARE_FINAL_TYPE(EdgesrUpscale, edgesr_upscale, EDGESR, UPSCALE, GstVideoFilter)

G_END_DECLS

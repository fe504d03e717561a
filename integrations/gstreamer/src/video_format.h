/* GStreamer's descriptions of video in the words of edgesr_frames. */
#pragma once

#include <gst/video/video.h>

#include "picture.h"

namespace edgesr {

/* The formats that the element takes, for its pads' templates. */
extern const char kFormats[];

PixelFormat pixel_format(const GstVideoInfo &info);
/* Throws Error for a matrix that cannot be converted. */
Colour colour(const GstVideoInfo &info);
/* What the caps name; else the centre in full range, as JPEG has it, and the left in limited range. */
ChromaLocation chroma_location(const GstVideoInfo &info, const GstCaps *caps);
Picture picture(const GstVideoFrame &frame);
WritablePicture writable_picture(GstVideoFrame &frame);
/* Sets the byte of RGB formats that holds nothing to 255, as an opaque alpha. */
void fill_unused(GstVideoFrame &frame);

}  // namespace edgesr

#include "decoder/base_image.h"

#include <algorithm>

#include "decoder/columns.h"

namespace esr {
namespace {

constexpr int kColours = 3;

}  // namespace

BaseImage::BaseImage(const esr_request &request) : stride_(std::size_t(request.width) + 2) {
    choose_rows(request);
    const int rows = 1 + *std::max_element(bottom_.data(), bottom_.data() + bottom_.size());
    plane_ = stride_ * rows;
    planes_ = Buffer<float>(kColours * plane_);
    const std::size_t skipped = std::size_t(first_row_) * request.width * kColours;
    if (request.float_pictures)
        convert(static_cast<const float *>(request.image) + skipped, 1.0f, rows, request.width);
    else
        convert(static_cast<const std::uint8_t *>(request.image) + skipped, 255.0f, rows, request.width);
}

// Rows are counted from the first that any output row reads, and only those that are read get converted.
void BaseImage::choose_rows(const esr_request &request) {
    const int count = request.out_height;
    top_ = Buffer<std::int32_t>(count);
    bottom_ = Buffer<std::int32_t>(count);
    share_ = Buffer<float>(count);
    for (int y = 0; y < count; ++y) {
        const Neighbours pair = neighbours(request.rows[y], request.offset_y[y]);
        top_[y] = std::max(pair.first, 0);
        bottom_[y] = std::min(pair.first + 1, request.height - 1);
        share_[y] = pair.share;
    }
    first_row_ = *std::min_element(top_.data(), top_.data() + count);
    for (int y = 0; y < count; ++y) {
        top_[y] -= first_row_;
        bottom_[y] -= first_row_;
    }
}

template <class Sample>
void BaseImage::convert(const Sample *image, float full, int rows, int width) {
    for (int y = 0; y < rows; ++y)
        for (int c = 0; c < kColours; ++c) {
            const Sample *in = image + std::size_t(y) * width * kColours + c;
            float *out = planes_.data() + c * plane_ + y * stride_;
            for (int x = 0; x < width; ++x) out[x + 1] = (float(in[x * kColours]) / full - 0.5f) / 0.5f;
            out[0] = out[1];
            out[width + 1] = out[width];
        }
}

void BaseImage::describe(Request *request) const {
    request->base = planes_.data();
    request->base_plane = std::ptrdiff_t(plane_);
    request->base_stride = std::ptrdiff_t(stride_);
    request->base_top = top_.data();
    request->base_bottom = bottom_.data();
    request->base_share_y = share_.data();
}

}  // namespace esr

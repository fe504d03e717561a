#include "decoder/base_image.h"

#include <algorithm>
#include <array>

#include "common/threads.h"
#include "decoder/columns.h"

namespace esr {
namespace {

constexpr int kColours = 3;
constexpr int kPixelsEach = 1 << 17;  // less than these take no longer than a thread to begin

constexpr float centred(float value) { return (value - 0.5f) / 0.5f; }

using Levels = std::array<float, 256>;

constexpr Levels centred_levels() {
    Levels found{};
    for (int level = 0; level < 256; ++level) found[std::size_t(level)] = centred(float(level) / 255.0f);
    return found;
}

// A division each would take three times as long.
constexpr Levels kCentred = centred_levels();

float centred(std::uint8_t level) { return kCentred[level]; }

template <class Sample>
void convert_row(const Sample *in, int width, float *red, float *green, float *blue) {
    for (int x = 0; x < width; ++x, in += kColours) {
        red[x] = centred(in[0]);
        green[x] = centred(in[1]);
        blue[x] = centred(in[2]);
    }
}

}  // namespace

BaseImage::BaseImage(const esr_request &request, Spares &spares)
    : spares_(spares), stride_(std::size_t(request.width) + 2) {
    choose_rows(request);
    const int rows = 1 + *std::max_element(bottom_.data(), bottom_.data() + bottom_.size());
    plane_ = stride_ * rows;
    planes_ = spares.borrow(kColours * plane_);
    const std::size_t skipped = std::size_t(first_row_) * request.width * kColours;
    if (request.float_pictures)
        convert(static_cast<const float *>(request.image) + skipped, rows, request.width, request.threads);
    else
        convert(static_cast<const std::uint8_t *>(request.image) + skipped, rows, request.width, request.threads);
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
void BaseImage::convert(const Sample *image, int rows, int width, int threads) {
    const int worth = int(std::size_t(rows) * width / kPixelsEach) + 1;
    const int workers = std::min({threads, rows, worth});
    run_on_threads(workers, [=](int worker) {
        const int end = int(std::int64_t(rows) * (worker + 1) / workers);
        for (int y = int(std::int64_t(rows) * worker / workers); y < end; ++y) {
            float *red = planes_.data() + y * stride_, *green = red + plane_, *blue = green + plane_;
            convert_row(image + std::size_t(y) * width * kColours, width, red + 1, green + 1, blue + 1);
            for (float *line : {red, green, blue}) {
                line[0] = line[1];
                line[width + 1] = line[width];
            }
        }
    });
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

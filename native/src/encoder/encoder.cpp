#include "encoder/encoder.h"

#include <algorithm>

#include "common/threads.h"
#include "encoder/image_rows.h"

namespace esr {
namespace {

constexpr int kMaxSide = 1 << 20, kMaxWorkers = 64;
constexpr std::size_t kSpareFrames = 2;
constexpr int kStripsEach = 4;   // for every thread and layer, at least: the last ones to finish are waited for
constexpr int kRows = 4;         // of a strip, at most
constexpr int kDepth = 4;        // layers that follow each other closely: what they pass on stays in the caches

bool side(std::int32_t length) { return length >= 1 && length <= kMaxSide; }

int workers_of(const esr_encode_request &request) { return std::min({request.threads, request.height, kMaxWorkers}); }

int rows_of(const esr_encode_request &request) {
    return std::clamp(request.height / (kStripsEach * workers_of(request)), 1, kRows);
}

}  // namespace

bool Encoder::valid(const esr_encode_request &request) const {
    return side(request.height) && side(request.width) && request.image && request.maps && request.threads >= 1 &&
           request.depth >= 0 && (!request.bf16_maps || kernel_.bf16_maps);
}

void Encoder::encode(const esr_encode_request &request) {
    std::unique_ptr<Frame> frame = borrow(request);
    Schedule schedule(int(network_.layers().size()), request.height, rows_of(request), request.depth ? request.depth : kDepth);
    run_on_threads(workers_of(request), [&](int worker) { work(request, *frame, schedule, worker); });
    give_back(std::move(frame));
}

void Encoder::work(const esr_encode_request &request, Frame &frame, Schedule &schedule, int worker) const {
    if (kernel_.begin) kernel_.begin();
    for (Schedule::Task task; schedule.take(&task); schedule.finish(task)) {
        const Layer &layer = network_.layers()[std::size_t(task.layer)];
        make(request, layer, frame.strip(layer, task.layer, schedule.begin(task), schedule.count(task), worker));
    }
    if (kernel_.end) kernel_.end();
}

void Encoder::make(const esr_encode_request &request, const Layer &layer, const Strip &rows) const {
    if (layer.kind == Layer::Load) return load_rows(request, layer.convolution.output, rows);
    if (layer.kind == Layer::Convert) return kernel_.convert(layer.convolution, rows);
    Strip strip = rows;
    if (layer.convolution.maps) {
        strip.maps.plane = std::ptrdiff_t(request.height) * request.width;
        strip.maps.bf16 = request.bf16_maps != 0;
        const std::ptrdiff_t bytes = layer.first_map * strip.maps.plane * (strip.maps.bf16 ? 2 : 4);
        strip.maps.first = static_cast<char *>(request.maps) + bytes;
    }
    kernel_.convolve(layer.convolution, strip);
}

std::unique_ptr<Frame> Encoder::borrow(const esr_encode_request &request) {
    const int workers = workers_of(request);
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (std::unique_ptr<Frame> &frame : spare_)
            if (frame->fits(request.height, request.width, workers)) {
                std::unique_ptr<Frame> found = std::move(frame);
                spare_.erase(spare_.begin() + (&frame - spare_.data()));
                return found;
            }
    }
    return std::make_unique<Frame>(network_, kernel_, request.height, request.width, workers);
}

void Encoder::give_back(std::unique_ptr<Frame> frame) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (spare_.size() == kSpareFrames) spare_.erase(spare_.begin());
    spare_.push_back(std::move(frame));
}

}  // namespace esr

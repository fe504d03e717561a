#include "encoder/encoder.h"

#include <algorithm>

#include "common/threads.h"
#include "encoder/image_rows.h"

namespace esr {
namespace {

constexpr int kMaxSide = 1 << 20, kMaxWorkers = 64;
constexpr std::size_t kSpareFrames = 2;

bool side(std::int32_t length) { return length >= 1 && length <= kMaxSide; }

int workers_of(const esr_encode_request &request) { return std::min({request.threads, request.height, kMaxWorkers}); }

// Layers whose rows fit into a cache, beside those that the first of them reads.
int depth_of(const Frame &frame, std::size_t cache, int layers, int height, int workers) {
    const int rows = int(std::min<std::size_t>(cache / frame.bytes_each_row(), 1 << 10));
    return depth_for(layers, height, workers, std::max(2, rows - kMaxStrip - 2));
}

}  // namespace

bool Encoder::valid(const esr_encode_request &request) const {
    return side(request.height) && side(request.width) && request.image && request.maps && request.threads >= 1 &&
           request.depth >= 0 && (!request.bf16_maps || kernel_.bf16_maps);
}

void Encoder::encode(const esr_encode_request &request) {
    std::unique_ptr<Frame> frame = borrow(request);
    const int layers = int(network_.layers().size()), workers = workers_of(request);
    const int depth = request.depth ? std::min(request.depth, layers) : depth_of(*frame, std::size_t(kernel_.cache), layers, request.height, workers);
    Schedule schedule(layers, request.height, workers, depth);
    std::vector<int> next(std::size_t(workers) * std::size_t(layers));
    run_on_threads(workers, [&](int worker) { work(request, *frame, schedule, worker, next.data() + worker * layers); });
    give_back(std::move(frame));
}

void Encoder::work(const esr_encode_request &request, Frame &frame, Schedule &schedule, int worker, int *next) const {
    if (kernel_.begin) kernel_.begin();
    for (int task = schedule.take(); task >= 0; task = schedule.take()) {
        run(request, frame, schedule[task], worker, next);
        schedule.finish(task);
    }
    if (kernel_.end) kernel_.end();
}

void Encoder::run(const esr_encode_request &request, Frame &frame, const Task &task, int worker, int *next) const {
    for (int layer = task.first; layer < task.end; ++layer) next[layer] = task.from(layer);
    for (int front = task.top + kMaxStrip, left = 1; left > 0; front += kMaxStrip) {
        left = 0;
        for (int index = task.first; index < task.end; ++index) {
            int &row = next[index];
            const int until = std::min(task.to(index), front - (index - task.first));
            const Layer &layer = network_.layers()[std::size_t(index)];
            if (until > row) make(request, layer, frame.strip(layer, index, row, until - row, worker));
            row = std::max(row, until);
            left += task.to(index) > row;
        }
    }
}

void Encoder::make(const esr_encode_request &request, const Layer &layer, const Strip &rows) const {
    if (layer.kind == Layer::Load) return load_rows(request, layer.convolution.output, rows);
    if (layer.kind == Layer::Convert) return kernel_.convert(layer.convolution, rows);
    Strip strip = rows;
    if (layer.convolution.maps) {
        strip.maps.plane = std::ptrdiff_t(request.height) * request.width;
        strip.maps.row = request.width;
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

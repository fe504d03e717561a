#include "encoder/schedule.h"

#include <algorithm>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace esr {
namespace {

constexpr int kLag = 2;         // strips that a layer stays behind the one before
constexpr int kPatience = 2000;  // looks at a flag before the core is offered to others

void pause() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

Schedule::Schedule(int layers, int height, int rows, int depth)
    : height_(height), rows_(rows), strips_((height + rows - 1) / rows),
      finished_(new std::atomic<bool>[std::size_t(layers) * strips_]) {
    for (std::size_t i = 0; i < std::size_t(layers) * strips_; ++i) finished_[i].store(false, std::memory_order_relaxed);
    tasks_.reserve(std::size_t(layers) * strips_);
    for (int first = 0; first < layers; first += depth) add_group(first, std::min(layers, first + depth));
}

void Schedule::add_group(int first, int end) {
    for (int step = 0; step < strips_ + kLag * (end - first - 1); ++step)
        for (int layer = first; layer < end; ++layer) {
            const int strip = step - kLag * (layer - first);
            if (strip >= 0 && strip < strips_) tasks_.push_back({layer, strip});
        }
}

void Schedule::wait_for(int layer, int strip) {
    if (strip < 0 || strip >= strips_) return;
    for (int looks = 0; !finished(layer, strip).load(std::memory_order_acquire); ++looks) {
        pause();
        if (looks >= kPatience) std::this_thread::yield();
    }
}

bool Schedule::take(Task *task) {
    const std::size_t i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= tasks_.size()) return false;
    *task = tasks_[i];
    if (task->layer > 0)
        for (int away = -1; away <= 1; ++away) wait_for(task->layer - 1, task->strip + away);
    return true;
}

}  // namespace esr

#include "encoder/schedule.h"

#include <algorithm>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace esr {
namespace {

constexpr int kBandsEach = 3;    // for every worker: the last ones to finish are waited for
constexpr int kPatience = 2000;  // looks at a flag before the core is offered to others

void pause() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Between what two neighbours leave out, a row has to remain to either side.
int least_height(int depth) { return 2 * depth + 2; }

int bands_of(int height, int workers, int depth) {
    return workers == 1 ? 1 : std::clamp(height / least_height(depth), 1, kBandsEach * workers);
}

}  // namespace

int depth_for(int layers, int height, int workers, int wanted) {
    const int most = workers == 1 ? layers : (height / (kBandsEach * workers) - 2) / 2;
    const int depth = std::clamp(std::min(most, wanted), 1, layers);
    const int passes = (layers + depth - 1) / depth;
    return (layers + passes - 1) / passes;
}

Schedule::Schedule(int layers, int height, int workers, int depth) : bands_(bands_of(height, workers, depth)) {
    for (int first = 0; first < layers; first += depth) add_pass(first, std::min(layers, first + depth), height);
    finished_.reset(new std::atomic<bool>[tasks_.size()]);
    for (std::size_t i = 0; i < tasks_.size(); ++i) finished_[i].store(false, std::memory_order_relaxed);
}

void Schedule::add_pass(int first, int end, int height) {
    const auto edge = [&](int band) { return int(std::int64_t(height) * band / bands_); };
    for (int band = 0; band < bands_; ++band)
        tasks_.push_back({first, end, edge(band), edge(band + 1), band > 0 ? 1 : 0, band + 1 < bands_ ? -1 : 0});
    for (int band = 1; band < bands_; ++band) tasks_.push_back({first, end, edge(band), edge(band), -1, 1});
}

void Schedule::wait_for(int task) {
    const std::atomic<bool> &finished = finished_[std::size_t(task)];
    for (int looks = 0; !finished.load(std::memory_order_acquire); ++looks) {
        pause();
        if (looks >= kPatience) std::this_thread::yield();
    }
}

// A band waits for what the pass before made of it and around it, a gap for the bands around it.
void Schedule::wait_for_neighbours(int task) {
    const int each = 2 * bands_ - 1, place = task % each, pass = task - place;
    if (place >= bands_) {
        wait_for(pass + place - bands_);
        wait_for(pass + place - bands_ + 1);
    } else if (pass > 0) {
        const int before = pass - each;
        if (bands_ == 1) wait_for(before);
        if (place > 0) wait_for(before + bands_ + place - 1);
        if (place + 1 < bands_) wait_for(before + bands_ + place);
    }
}

int Schedule::take() {
    const int task = next_.fetch_add(1, std::memory_order_relaxed);
    if (task >= int(tasks_.size())) return -1;
    wait_for_neighbours(task);
    return task;
}

}  // namespace esr

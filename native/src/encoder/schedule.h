// The order in which parts of a frame go through the layers, and who waits for whom.
//
// Layers form passes. In a pass the frame is cut into bands of rows; a band goes through all layers of the pass at once, each
// a row behind the one before it, so that what a layer reads was written a moment ago and stays in the second-level cache.
// Nobody knows the neighbours' rows yet, so a band loses a row at either end with every layer; what is missing between two
// bands is made afterwards, and grows by as much. Nothing is computed twice. Two buffers of activations are enough for
// all layers: the last two rows of a band's layer, which those between the bands will read, are overwritten by no later
// layer of the band.
//
// Tasks are taken in an order in which whatever one waits for was taken before it: whoever has it is at work, so nobody
// waits in vain.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace esr {

// Layers `first` to `end` - 1 over rows `top` to `bottom` - 1; with each layer these move by `top_step` and `bottom_step`.
struct Task {
    int first, end;
    int top, bottom;
    int top_step, bottom_step;

    int from(int layer) const { return top + top_step * (layer - first); }
    int to(int layer) const { return bottom + bottom_step * (layer - first); }
};

class Schedule {
public:
    Schedule(int layers, int height, int workers, int depth);

    // The next task, those it waits for finished; -1 at the end.
    int take();
    const Task &operator[](int task) const { return tasks_[std::size_t(task)]; }
    void finish(int task) { finished_[std::size_t(task)].store(true, std::memory_order_release); }

private:
    void add_pass(int first, int end, int height);
    void wait_for(int task);
    void wait_for_neighbours(int task);

    const int bands_;
    std::vector<Task> tasks_;  // of each pass: the bands, then what is between them
    std::atomic<int> next_{0};
    std::unique_ptr<std::atomic<bool>[]> finished_;
};

// Layers of a pass for `workers` to have something to do each, at most `wanted`.
int depth_for(int layers, int height, int workers, int wanted);

}  // namespace esr

// The order in which strips of all layers are made, and who waits for whom.
//
// Layers go through the frame in groups of `depth`, each two strips behind the one before it, so that what a layer reads
// was written a moment ago. A strip waits for three strips of the layer before; those in turn waited for everything
// that still reads what this one overwrites, so two buffers of activations are enough. Strips are taken in an order in
// which whatever one waits for was taken before it: whoever has it is at work, so nobody waits in vain.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

namespace esr {

class Schedule {
public:
    struct Task {
        int layer, strip;
    };

    Schedule(int layers, int height, int rows, int depth);

    // The next strip to make, its predecessors finished; false at the end.
    bool take(Task *task);
    void finish(const Task &task) { finished(task.layer, task.strip).store(true, std::memory_order_release); }
    int begin(const Task &task) const { return task.strip * rows_; }
    int count(const Task &task) const { return task.strip + 1 < strips_ ? rows_ : height_ - begin(task); }
    int strips() const { return strips_; }

private:
    void add_group(int first, int end);
    void wait_for(int layer, int strip);
    std::atomic<bool> &finished(int layer, int strip) { return finished_[std::size_t(layer) * strips_ + strip]; }

    const int height_, rows_, strips_;
    std::vector<Task> tasks_;
    std::atomic<std::size_t> next_{0};
    std::unique_ptr<std::atomic<bool>[]> finished_;
};

}  // namespace esr

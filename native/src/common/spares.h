// Working memory that is kept between calls: fresh pages for every frame take longer than what is written to them.
#pragma once

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

#include "common/buffer.h"

namespace esr {

// Several threads may borrow and give back at once.
class Spares {
public:
    Spares() { kept_.reserve(kKept + 1); }

    // At least so many floats; what they hold is anything.
    Buffer<float> borrow(std::size_t count) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            for (auto buffer = kept_.begin(); buffer != kept_.end(); ++buffer)
                if (buffer->size() >= count) {
                    Buffer<float> found = std::move(*buffer);
                    kept_.erase(buffer);
                    return found;
                }
        }
        return Buffer<float>(count);
    }

    void give_back(Buffer<float> buffer) {
        const std::lock_guard<std::mutex> lock(mutex_);
        kept_.push_back(std::move(buffer));
        if (kept_.size() > kKept) kept_.erase(kept_.begin());
    }

private:
    static constexpr std::size_t kKept = 2;

    std::mutex mutex_;
    std::vector<Buffer<float>> kept_;
};

}  // namespace esr

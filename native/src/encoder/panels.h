// How rows are cut, where all of what a pass's layers hand on would not stay in a cache.
//
// A panel is some columns of all rows of a band. They go through all layers of the pass before the next panel does, and every
// layer stays `step` pixels behind the one before it: what it reads on its right is there, what it reads on its left was
// kept, and nothing is computed twice.
#pragma once

#include <algorithm>
#include <numeric>

namespace esr {

class Panels {
public:
    // Of about `wanted` pixels. Rows may be cut at multiples of `step`, 0: nowhere.
    Panels(int width, int step, int wanted) : length_(width), width_(width), step_(step) {
        if (step == 0) return;
        const int each = std::lcm(step, kLine);
        width_ = std::min(width, std::max(1, (wanted + each - 1) / each) * each);
    }

    int width() const { return width_; }
    // For so many layers.
    int count(int layers) const {
        return width_ == length_ ? 1 : (length_ + (layers - 1) * step_ + width_ - 1) / width_;
    }
    // Where `panel` begins in the layer of that number in its pass.
    int from(int panel, int layer) const {
        if (width_ == length_) return panel * length_;
        return std::clamp(panel * width_ - layer * step_, 0, length_);
    }

private:
    static constexpr int kLine = 16;  // pixels of a map that are written together

    int length_, width_, step_;
};

}  // namespace esr

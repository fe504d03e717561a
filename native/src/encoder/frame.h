// The rows of one frame on its way through an encoder.
#pragma once

#include <vector>

#include "common/buffer.h"
#include "encoder/packing.h"

namespace esr {

class Frame {
public:
    Frame(const PackedEncoder &network, const EncoderKernel &kernel, int height, int width, int threads);

    bool fits(int height, int width, int threads) const {
        return height == height_ && width == width_ && threads <= int(scratch_.size());
    }
    // What the layers of a pass hand on for one row.
    std::size_t bytes_each_row() const { return activations_[0].pitch + activations_[1].pitch + stream_.pitch; }
    // Rows y to y + rows - 1 of layer `index`; maps are the caller's to add.
    Strip strip(const Layer &layer, int index, int y, int rows, int worker);

private:
    // Rows of equal size, one after another.
    struct Rows {
        Buffer<char> bytes;
        std::size_t pitch = 0;

        char *row(int y) { return bytes.data() + std::size_t(y) * pitch; }
    };

    std::size_t row_bytes(const Convolution &output) const;
    std::size_t scratch_values(const PackedEncoder &network) const;
    float *plane_row(Plane plane, int y);

    int height_, width_, tiles_;
    int pixels_;  // of a row, those that are computed beside its own included
    Rows activations_[2], head_, stream_;
    Rows beyond_;  // for each layer a row of what stands for zero in its input
    std::vector<Buffer<float>> scratch_;
};

}  // namespace esr

// Where the LR values under each vector of output columns lie.
#pragma once

#include "common/buffer.h"
#include "decoder/kernel.h"

namespace esr {

// The two LR pixels that a bilinear sample lies between, and the second one's weight.
struct Neighbours {
    int first;
    float share;
};

// For an output pixel over LR pixel `nearest`, `offset` half pixels from its centre. first may be -1, and first + 1
// may be one beyond the last: edges are the caller's to clamp.
Neighbours neighbours(int nearest, float offset);

class Columns {
public:
    Columns(const std::int32_t *cols, const float *offset_x, int count, int width, int lanes);

    int vectors() const { return int(places_.size()); }
    void describe(Request *request) const;

private:
    void place_vector(int vector, int width, int lanes);

    Buffer<ColumnVector> places_;
    Buffer<std::int32_t> pick_, base_pick_;
    Buffer<float> base_share_;
};

}  // namespace esr

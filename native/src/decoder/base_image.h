// The LR image as the bilinear base reads it: float32 planes in [-1, 1], the outer columns repeated once.
#pragma once

#include "common/buffer.h"
#include "esr_native.h"
#include "decoder/kernel.h"

namespace esr {

class BaseImage {
public:
    BaseImage() = default;
    explicit BaseImage(const esr_request &request);

    void describe(Request *request) const;

private:
    void choose_rows(const esr_request &request);
    template <class Sample>
    void convert(const Sample *image, float full, int rows, int width);

    int first_row_ = 0;
    std::size_t stride_ = 0, plane_ = 0;
    Buffer<float> planes_;
    Buffer<std::int32_t> top_, bottom_;
    Buffer<float> share_;
};

}  // namespace esr

// The LR image as the bilinear base reads it: float32 planes in [-1, 1], the outer columns repeated once.
#pragma once

#include "common/buffer.h"
#include "common/spares.h"
#include "esr_native.h"
#include "decoder/kernel.h"

namespace esr {

class BaseImage {
public:
    // The planes are borrowed for as long as this lives.
    BaseImage(const esr_request &request, Spares &spares);
    BaseImage(const BaseImage &) = delete;
    BaseImage &operator=(const BaseImage &) = delete;
    ~BaseImage() { spares_.give_back(std::move(planes_)); }

    void describe(Request *request) const;

private:
    void choose_rows(const esr_request &request);
    template <class Sample>
    void convert(const Sample *image, int rows, int width, int threads);

    Spares &spares_;
    int first_row_ = 0;
    std::size_t stride_, plane_ = 0;
    Buffer<float> planes_;
    Buffer<std::int32_t> top_, bottom_;
    Buffer<float> share_;
};

}  // namespace esr

// Encoders and pictures with random content, in arrays of exactly the stated sizes, so that a sanitizer sees any step
// beyond them.
#pragma once

#include "random_call.h"

struct EncoderShape {
    int channels, blocks;
    std::vector<std::int32_t> contents;  // outputs of each
    bool int8;                           // all but the head, and the first content apart
    int height, width;
    bool float_pictures;
    bool mixed = false;  // INT8 but for half of the blocks' convolutions, as calibration may leave a network

    int radius() const { return 3 + 2 * blocks; }
};

class RandomEncoder {
public:
    RandomEncoder(const EncoderShape &shape, unsigned seed);

    const esr_encoder_network &view() const { return view_; }
    int maps() const { return maps_; }
    std::vector<esr_convolution> &convolutions() { return convolutions_; }

private:
    esr_convolution floats(int inputs, int outputs);
    esr_convolution levels(int inputs, int outputs, bool after_relu);
    void exact_head(int channels);
    template <class T, class Fill>
    const T *array(std::vector<Exact<T>> &shelf, std::size_t count, Fill fill);

    std::mt19937 random_;
    std::vector<Exact<float>> floats_;
    std::vector<Exact<std::int8_t>> bytes_;
    std::vector<Exact<std::int32_t>> integers_;
    std::vector<esr_convolution> convolutions_;
    esr_encoder_network view_{};
    int maps_ = 0;
};

// A picture of levels and the same in [0, 1].
class RandomPicture {
public:
    RandomPicture(int height, int width, unsigned seed);

    // Part of another picture: its columns and rows from x and y on.
    RandomPicture(const RandomPicture &whole, int x, int y, int width, int height);
    esr_encode_request request(void *maps, bool floats, int threads, int depth) const;

private:
    void convert();

    int height_, width_;
    Exact<std::uint8_t> bytes_;
    Exact<float> floats_;
};

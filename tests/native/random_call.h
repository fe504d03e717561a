// Networks and calls with random content, in arrays of exactly the stated sizes, so that a sanitizer sees any step
// beyond them.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "esr_native.h"

struct Shape {
    int mode;
    bool base;
    bool float_pictures;
    std::vector<std::int32_t> widths;
    int height, width;
    int out_height, out_width;
};

// An array whose first byte past the end is not ours: vectors may keep spare room.
template <class T>
struct Exact {
    std::unique_ptr<T[]> data;
    std::size_t size = 0;

    Exact() = default;
    explicit Exact(std::size_t count) : data(new T[count]), size(count) {}
};

class RandomNetwork {
public:
    RandomNetwork(const Shape &shape, unsigned seed);

    const esr_network &view() const { return view_; }
    int channels() const { return channels_; }

private:
    const float *fill(std::size_t count, float spread);

    std::mt19937 random_;
    std::vector<Exact<float>> arrays_;
    std::vector<std::int32_t> widths_;
    std::vector<const float *> synthesis_, bias_, modulation_;
    esr_network view_{};
    int channels_ = 0;
};

class RandomCall {
public:
    RandomCall(const Shape &shape, int channels, unsigned seed);

    esr_request request(void *out, int threads) const;
    std::size_t values() const { return std::size_t(shape_.out_height) * shape_.out_width * 3; }
    // Indices to spoil, for tests of what is refused.
    std::int32_t *rows() { return rows_.data.get(); }
    std::int32_t *cols() { return cols_.data.get(); }

private:
    void fill_axis(int length, int output, Exact<std::int32_t> &nearest, Exact<float> &offset);
    void fill_pictures(int channels);

    Shape shape_;
    int channels_;
    std::mt19937 random_;
    Exact<float> maps_, float_image_, offset_y_, offset_x_;
    Exact<std::uint8_t> byte_image_;
    Exact<std::int32_t> rows_, cols_;
};

/* Work on rows shared among threads, and rows kept for a filter down. */
#pragma once

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include "resampling.h"

namespace edgesr {

/* Calls work(begin, end) for parts of `count` rows, each on a thread of its own; the caller's is one of them. */
template <class Work>
void share_rows(int count, int threads, const Work &work) {
    const int parts = std::max(1, std::min(threads, count / 16));
    std::vector<std::thread> others;
    for (int i = 1; i < parts; ++i)
        others.emplace_back(
            [&, i] { work(int(std::int64_t(i) * count / parts), int(std::int64_t(i + 1) * count / parts)); });
    work(0, count / parts);
    for (std::thread &other : others) other.join();
}

/* The last few rows of a plane, each made once by make(y, row), for filters that move down it. */
class RowWindow {
public:
    RowWindow(int width, int rows)
        : width_(width),
          rows_(rows),
          held_(std::size_t(rows), -1),
          values_(std::size_t(width) * std::size_t(rows)),
          pointers_(std::size_t(rows)) {}

    /* The rows from `first` on, as many as the window holds; rows that a filter names beyond `height` are of no weight.
     */
    template <class Make>
    const std::int32_t *const *from(int first, int height, const Make &make) {
        for (int i = 0; i < rows_; ++i) {
            const int y = std::min(first + i, height - 1), slot = y % rows_;
            std::int32_t *row = &values_[std::size_t(slot) * std::size_t(width_)];
            if (held_[std::size_t(slot)] != y) make(y, row);
            held_[std::size_t(slot)] = y;
            pointers_[std::size_t(i)] = row;
        }
        return pointers_.data();
    }

private:
    int width_, rows_;
    std::vector<int> held_;
    std::vector<std::int32_t> values_;
    std::vector<const std::int32_t *> pointers_;
};

}  // namespace edgesr

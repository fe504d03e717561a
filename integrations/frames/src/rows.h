/* Work on rows shared among threads, and rows kept for a filter down. */
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "resampling.h"

namespace edgesr {

/* Calls work(begin, end) for parts of `count` rows on so many threads, the caller's among them; on fewer where the
 * system gives no more. What work throws is thrown here. */
template <class Work>
void share_rows(int count, int threads, const Work &work) {
    const int parts = std::max(1, std::min(threads, count / 16));
    const auto edge = [&](int part) { return int(std::int64_t(part) * count / parts); };
    std::atomic<int> next{0};
    std::mutex mutex;
    std::exception_ptr thrown;
    const auto take_parts = [&] {
        try {
            for (int i = next++; i < parts; i = next++) work(edge(i), edge(i + 1));
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex);
            thrown = std::current_exception();
        }
    };
    std::vector<std::thread> others;
    others.reserve(std::size_t(parts));
    try {
        for (int i = 1; i < parts; ++i) others.emplace_back(take_parts);
    } catch (const std::system_error &) {
    }
    take_parts();
    for (std::thread &other : others) other.join();
    if (thrown) std::rethrow_exception(thrown);
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

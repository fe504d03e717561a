// A fixed array aligned to cache lines. Contents start as zeros.
#pragma once

#include <cstddef>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace esr {

template <class T>
class Buffer {
public:
    Buffer() = default;
    explicit Buffer(std::size_t count) : data_(allocate(count)), size_(count) {}
    Buffer(Buffer &&other) noexcept : data_(other.data_), size_(other.size_) {
        other.data_ = nullptr;
        other.size_ = 0;
    }
    Buffer &operator=(Buffer &&other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Buffer() { ::operator delete(data_, kAlignment); }

    T *data() { return data_; }
    const T *data() const { return data_; }
    std::size_t size() const { return size_; }
    T &operator[](std::size_t i) { return data_[i]; }
    const T &operator[](std::size_t i) const { return data_[i]; }

private:
    static constexpr std::align_val_t kAlignment{64};

    static T *allocate(std::size_t count) {
        if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
        void *memory = ::operator new(count * sizeof(T), kAlignment);
        std::memset(memory, 0, count * sizeof(T));
        return static_cast<T *>(memory);
    }

    T *data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace esr

// A fuzzer's bytes, taken one after another.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

class Bytes {
public:
    Bytes(const std::uint8_t *data, std::size_t size) : data_(data), size_(size) {}

    int next(int limit) {
        if (!size_) return 0;
        --size_;
        return *data_++ % limit;
    }
    // Any 32-bit value: mostly far outside of what is allowed.
    std::int32_t wild() {
        std::int32_t value = 0;
        const std::size_t count = std::min(size_, sizeof value);
        std::memcpy(&value, data_, count);
        data_ += count;
        size_ -= count;
        return value;
    }
    bool empty() const { return size_ == 0; }

private:
    const std::uint8_t *data_;
    std::size_t size_;
};

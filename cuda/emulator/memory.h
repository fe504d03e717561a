// The emulated GPU's global memory: the buffers that exist, what was written to them, and who touched them.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "shadow.h"

namespace emulator {

constexpr std::size_t kGranule = 64;  // bytes; what a launch touched is remembered by these
constexpr unsigned char kRead = 1, kWritten = 2;

class Buffer {
public:
    const char *start;
    std::size_t bytes;
    bool writable;
    std::vector<unsigned char> touched;  // by granule, since the last launch began

    Buffer(const void *start, std::size_t bytes, bool writable);
    // Bytes that a copy or the host has filled.
    void fill(std::size_t from, std::size_t count);
    // Calls visit(Shadow &) for what `count` bytes at `from` are remembered by.
    template <class Visit> void visit(std::size_t from, std::size_t count, const Visit &visit) {
        if (unit_ > 1 && (from % unit_ || count % unit_)) split();
        for (std::size_t i = from / unit_; i < (from + count) / unit_; ++i) visit(shadows_[i]);
    }
    void touch(std::size_t from, std::size_t count, unsigned char how) {
        for (std::size_t i = from / kGranule; i <= (from + count - 1) / kGranule; ++i) touched[i] |= how;
    }

private:
    // A shadow stands for four bytes until somebody touches fewer.
    void split();
    std::size_t unit_ = 4;
    std::vector<Shadow> shadows_;
};

class GlobalMemory {
public:
    void add(const void *start, std::size_t bytes, bool writable);
    void remove(const void *start);
    void clear();
    // The buffer that holds all of these bytes, or null.
    Buffer *find(const void *at, std::size_t bytes);
    void forget_touches();
    std::map<const char *, Buffer> buffers;

private:
    Buffer *last_ = nullptr;
};

}  // namespace emulator

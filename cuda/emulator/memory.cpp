#include "memory.h"

#include <algorithm>

namespace emulator {

Buffer::Buffer(const void *start, std::size_t bytes, bool writable)
    : start(static_cast<const char *>(start)),
      bytes(bytes),
      writable(writable),
      touched(bytes / kGranule + 1),
      shadows_((bytes + 3) / 4) {}

void Buffer::split() {
    std::vector<Shadow> finer(unit_ * shadows_.size());
    for (std::size_t i = 0; i < finer.size(); ++i) finer[i] = shadows_[i / unit_];
    shadows_ = std::move(finer);
    unit_ = 1;
}

void Buffer::fill(std::size_t from, std::size_t count) {
    visit(from, count, [](Shadow &shadow) { shadow.written = true; });
}

void GlobalMemory::add(const void *start, std::size_t bytes, bool writable) {
    last_ = nullptr;
    const char *key = static_cast<const char *>(start);
    buffers.erase(key);
    Buffer &buffer = buffers.emplace(key, Buffer(start, bytes, writable)).first->second;
    if (!writable) buffer.fill(0, bytes);
}

void GlobalMemory::remove(const void *start) {
    last_ = nullptr;
    buffers.erase(static_cast<const char *>(start));
}

void GlobalMemory::clear() {
    last_ = nullptr;
    buffers.clear();
}

Buffer *GlobalMemory::find(const void *at, std::size_t count) {
    const char *first = static_cast<const char *>(at);
    auto holds = [&](const Buffer &b) { return b.start <= first && first + count <= b.start + b.bytes; };
    if (last_ && holds(*last_)) return last_;
    auto next = buffers.upper_bound(first);
    if (next == buffers.begin()) return nullptr;
    Buffer &candidate = std::prev(next)->second;
    return holds(candidate) ? last_ = &candidate : nullptr;
}

void GlobalMemory::forget_touches() {
    for (auto &item : buffers) std::fill(item.second.touched.begin(), item.second.touched.end(), 0);
}

}  // namespace emulator

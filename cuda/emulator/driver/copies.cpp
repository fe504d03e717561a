// Copies between host and device: what libcuda.so.1 has of them, and how many bytes went which way.
#include <cstring>
#include <memory>
#include <vector>

#include "../emulator.h"
#include "entry.h"

using namespace emulated_driver;

namespace {

// CU_MEMORYTYPE of the driver's own header; `unified`: the address itself says where it lies.
constexpr int kHost = 1, kDevice = 2, kUnified = 4;

// By way, up 0 or down 1, and by the host's memory, page-locked 0 or pageable 1.
std::uint64_t copied[2][2];

// Rows of bytes from one place to another, as one piece of work.
struct Rows {
    const char *from;
    char *to;
    std::size_t from_pitch, to_pitch, bytes, count;
    bool from_device, to_device;
    std::size_t from_extent() const { return (count - 1) * from_pitch + bytes; }
    std::size_t to_extent() const { return (count - 1) * to_pitch + bytes; }
    // Uses are told of memory that the driver knows: nobody else sees that of the caller.
    void copy(const Uses &uses, bool from_known, bool to_known) const {
        for (std::size_t i = 0; i < count; ++i) {
            std::memcpy(to + i * to_pitch, from + i * from_pitch, bytes);
            if (from_known) uses({place(from + i * from_pitch), bytes}, false);
            if (to_known) uses({place(to + i * to_pitch), bytes}, true);
            if (to_device) emulator_fill_buffer(to + i * to_pitch, bytes);
        }
    }
};

// Pageable memory is free again when the call returns: what it holds is taken at once, and what goes there is waited for.
void enqueue_copy(Driver &d, Rows rows, Stream *stream) {
    if (!rows.count || !rows.bytes) return;
    const bool from_known = d.memory.holds(rows.from, rows.from_extent());
    const bool to_known = d.memory.holds(rows.to, rows.to_extent());
    if ((rows.from_device && !from_known) || (rows.to_device && !to_known))
        throw Failure(Status::invalid_value, "a copy reaches beyond its buffer");
    if (rows.from_device != rows.to_device)
        copied[rows.from_device][!(rows.from_device ? to_known : from_known)] += rows.bytes * rows.count;
    std::shared_ptr<std::vector<char>> taken;
    if (!rows.from_device && !from_known) {
        taken = std::make_shared<std::vector<char>>(rows.from, rows.from + rows.from_extent());
        rows.from = taken->data();
    }
    d.queue.enqueue(stream, {"a copy", [rows, taken, from_known, to_known](const Uses &uses) { rows.copy(uses, from_known, to_known); }});
    if (!rows.to_device && !to_known) d.queue.synchronize(stream);
}

Rows line(Address to, const void *from, std::size_t bytes, bool from_device, bool to_device) {
    return {static_cast<const char *>(from), static_cast<char *>(pointer(to)), 0, 0, bytes, 1, from_device, to_device};
}

// CUDA_MEMCPY2D.
struct CopyEnd {
    std::size_t x, y;
    int type;
    void *host;
    Address device;
    void *array;
    std::size_t pitch;
    char *first() const { return (type == kHost ? static_cast<char *>(host) : static_cast<char *>(pointer(device))) + y * pitch + x; }
    bool on_device() const { return type == kDevice || type == kUnified; }
};
struct Copy2D {
    CopyEnd from, to;
    std::size_t width, height;
    Rows rows() const {
        return {from.first(), to.first(), from.pitch, to.pitch, width, height, from.on_device(), to.on_device()};
    }
};

// A copy that has been made when the call returns.
int now(const Rows &rows) {
    return in_context([&](Driver &d) {
        enqueue_copy(d, rows, nullptr);
        d.queue.synchronize(static_cast<Stream *>(nullptr));
    });
}
int later(const Rows &rows, void *stream) {
    return in_context([&](Driver &d) { enqueue_copy(d, rows, static_cast<Stream *>(stream)); });
}

}  // namespace

API cuMemcpyHtoDAsync_v2(Address to, const void *from, std::size_t bytes, void *stream) {
    return later(line(to, from, bytes, false, true), stream);
}
API cuMemcpyDtoHAsync_v2(void *to, Address from, std::size_t bytes, void *stream) {
    return later(line(place(to), pointer(from), bytes, true, false), stream);
}
API cuMemcpyDtoDAsync_v2(Address to, Address from, std::size_t bytes, void *stream) {
    return later(line(to, pointer(from), bytes, true, true), stream);
}
API cuMemcpyHtoD_v2(Address to, const void *from, std::size_t bytes) { return now(line(to, from, bytes, false, true)); }
API cuMemcpyDtoH_v2(void *to, Address from, std::size_t bytes) { return now(line(place(to), pointer(from), bytes, true, false)); }
API cuMemcpyDtoD_v2(Address to, Address from, std::size_t bytes) { return now(line(to, pointer(from), bytes, true, true)); }
API cuMemcpy2DAsync_v2(const Copy2D *copy, void *stream) { return later(copy->rows(), stream); }
API cuMemcpy2D_v2(const Copy2D *copy) { return now(copy->rows()); }

// For tests: bytes copied since the last call, up from page-locked and pageable memory, then down into them.
API emulated_gpu_copied(std::uint64_t *counts) {
    return answer([&](Driver &) {
        std::memcpy(counts, copied, sizeof copied);
        std::memset(copied, 0, sizeof copied);
    });
}

// The functions of libcuda.so.1 that Edge SR's drivers call, as far as they need them, over the emulated GPU.
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>

#include "../emulator.h"
#include "device.h"
#include "modules.h"
#include "queue.h"
#include "status.h"

using emulated_driver::Description;
using emulated_driver::Event;
using emulated_driver::Failure;
using emulated_driver::Function;
using emulated_driver::Graph;
using emulated_driver::Module;
using emulated_driver::Span;
using emulated_driver::Status;
using emulated_driver::Stream;
using emulated_driver::Uses;
using emulated_driver::Work;

namespace {

typedef std::uint64_t Address;
constexpr int kVersion = 12090;

struct Driver {
    Description device = Description::from_environment();
    emulated_driver::Memory memory{device.memory};
    emulated_driver::Queue queue;
    std::recursive_mutex lock;
    int context = 0;
    Driver() { queue.fail_after = device.fail_after; }
};

Driver &driver() {
    static auto *one = new Driver();
    return *one;
}
thread_local int depth = 0;

// Runs `body` alone and turns what it throws into a number; why is said on stderr.
template <class Body> int answer(const Body &body) {
    try {
        const std::lock_guard<std::recursive_mutex> held(driver().lock);
        body(driver());
        return 0;
    } catch (const Failure &failure) {
        std::fprintf(stderr, "emulated GPU: %s\n", failure.what());
        return static_cast<int>(failure.status);
    }
}
void require_context() {
    if (depth <= 0) throw Failure(Status::invalid_context, "no context is current in this thread");
}
template <class Body> int in_context(const Body &body) {
    return answer([&](Driver &d) {
        require_context();
        body(d);
    });
}

std::size_t place(const void *at) { return reinterpret_cast<std::size_t>(at); }
void *pointer(Address at) { return reinterpret_cast<void *>(at); }

// Rows of bytes from one place to another, as one piece of work.
struct Rows {
    const char *from;
    char *to;
    std::size_t from_pitch, to_pitch, bytes, count;
    bool from_device, to_device;
    void copy(const Uses &uses) const {
        for (std::size_t i = 0; i < count; ++i) {
            std::memcpy(to + i * to_pitch, from + i * from_pitch, bytes);
            uses({place(from + i * from_pitch), bytes}, false);
            uses({place(to + i * to_pitch), bytes}, true);
            if (to_device) emulator_fill_buffer(to + i * to_pitch, bytes);
        }
    }
};
void enqueue_copy(Driver &d, const Rows &rows, Stream *stream) {
    const bool inside = (!rows.from_device || d.memory.holds(rows.from, (rows.count - 1) * rows.from_pitch + rows.bytes)) &&
                        (!rows.to_device || d.memory.holds(rows.to, (rows.count - 1) * rows.to_pitch + rows.bytes));
    if (!inside) throw Failure(Status::invalid_value, "a copy reaches beyond its buffer");
    d.queue.enqueue(stream, {"a copy", [rows](const Uses &uses) { rows.copy(uses); }});
}

}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int

API cuInit(unsigned) { return 0; }
API cuDriverGetVersion(int *version) { return *version = kVersion, 0; }
API cuGetErrorName(int status, const char **name) { return *name = emulated_driver::name_of(status), 0; }
API cuGetErrorString(int status, const char **text) { return *text = emulated_driver::name_of(status), 0; }

API cuDeviceGetCount(int *count) { return *count = 1, 0; }
API cuDeviceGet(int *device, int index) { return *device = 0, index ? int(Status::invalid_device) : 0; }
API cuDeviceGetName(char *name, int size, int) {
    return answer([&](Driver &d) { std::snprintf(name, size, "%s", d.device.name.c_str()); });
}
API cuDeviceTotalMem_v2(std::size_t *bytes, int) {
    return answer([&](Driver &d) { *bytes = d.memory.limit(); });
}
API cuDeviceGetAttribute(int *value, int what, int) {
    return answer([&](Driver &d) {
        switch (what) {
            case 10: *value = 32; break;
            case 16: *value = d.device.sms; break;
            case 18: *value = d.device.integrated; break;
            case 75: *value = d.device.major; break;
            case 76: *value = d.device.minor; break;
            case 81: *value = d.device.shared_bytes_sm; break;
            case 97: *value = d.device.shared_bytes; break;
            default: *value = 0;
        }
    });
}

API cuDevicePrimaryCtxRetain(void **context, int) {
    return answer([&](Driver &d) { *context = &d.context; });
}
API cuDevicePrimaryCtxRelease_v2(int) { return 0; }
API cuCtxPushCurrent_v2(void *) { return ++depth, 0; }
API cuCtxPopCurrent_v2(void **context) {
    return answer([&](Driver &d) {
        require_context();
        --depth;
        if (context) *context = &d.context;
    });
}
API cuCtxSetCurrent(void *context) { return depth = context != nullptr, 0; }
API cuCtxGetCurrent(void **context) {
    return answer([&](Driver &d) { *context = depth > 0 ? &d.context : nullptr; });
}
API cuCtxSynchronize() {
    return in_context([](Driver &d) { d.queue.synchronize_all(); });
}

API cuMemGetInfo_v2(std::size_t *available, std::size_t *total) {
    return in_context([&](Driver &d) { *available = d.memory.available(), *total = d.memory.limit(); });
}
API cuMemAlloc_v2(Address *at, std::size_t bytes) {
    return in_context([&](Driver &d) {
        void *memory = d.memory.allocate(bytes);
        if (!memory) throw Failure(Status::out_of_memory, "no room for " + std::to_string(bytes) + " bytes");
        *at = place(memory);
    });
}
// As a driver does, frees what is in use only once it no longer is.
static void release(Driver &d, void *memory) {
    d.queue.synchronize_all();
    d.queue.order.forget({place(memory), d.memory.free(memory)});
}
API cuMemFree_v2(Address at) {
    return in_context([&](Driver &d) { release(d, pointer(at)); });
}
API cuMemHostAlloc(void **memory, std::size_t bytes, unsigned) {
    return in_context([&](Driver &d) { *memory = d.memory.allocate_host(bytes); });
}
API cuMemFreeHost(void *memory) {
    return in_context([&](Driver &d) { release(d, memory); });
}
API cuMemHostGetDevicePointer_v2(Address *at, void *memory, unsigned) { return *at = place(memory), 0; }

API cuStreamCreate(void **stream, unsigned flags) {
    return in_context([&](Driver &d) {
        // Others' work on the legacy default stream would break what is captured on a stream that waits for it.
        const unsigned non_blocking = 1;
        if (flags != non_blocking) throw Failure(Status::invalid_value, "a stream that waits for the legacy default stream");
        *stream = d.queue.new_stream();
    });
}
API cuStreamDestroy_v2(void *stream) {
    return in_context([&](Driver &d) { d.queue.free_stream(static_cast<Stream *>(stream)); });
}
API cuStreamSynchronize(void *stream) {
    return in_context([&](Driver &d) { d.queue.synchronize(static_cast<Stream *>(stream)); });
}
API cuStreamWaitEvent(void *stream, void *event, unsigned) {
    return in_context([&](Driver &d) { d.queue.wait(static_cast<Stream *>(stream), static_cast<Event *>(event)); });
}
API cuEventCreate(void **event, unsigned) {
    return in_context([&](Driver &d) { *event = d.queue.new_event(); });
}
API cuEventDestroy_v2(void *event) {
    return in_context([&](Driver &d) { d.queue.free_event(static_cast<Event *>(event)); });
}
API cuEventRecord(void *event, void *stream) {
    return in_context([&](Driver &d) { d.queue.record(static_cast<Event *>(event), static_cast<Stream *>(stream)); });
}
API cuEventSynchronize(void *event) {
    return in_context([&](Driver &d) { d.queue.synchronize(static_cast<Event *>(event)); });
}
API cuEventElapsedTime(float *milliseconds, void *from, void *to) {
    return in_context([&](Driver &d) {
        const auto *first = static_cast<Event *>(from), *second = static_cast<Event *>(to);
        d.queue.require(first);
        d.queue.require(second);
        if (!first->milliseconds || !second->milliseconds)
            throw Failure(Status::not_ready, "time is asked of events that the host has not waited for");
        *milliseconds = static_cast<float>(second->milliseconds - first->milliseconds);
    });
}
API cuEventElapsedTime_v2(float *milliseconds, void *from, void *to) { return cuEventElapsedTime(milliseconds, from, to); }

API cuMemcpyHtoDAsync_v2(Address to, const void *from, std::size_t bytes, void *stream) {
    return in_context([&](Driver &d) {
        const Rows rows = {static_cast<const char *>(from), static_cast<char *>(pointer(to)), 0, 0, bytes, 1, false, true};
        enqueue_copy(d, rows, static_cast<Stream *>(stream));
    });
}
API cuMemcpyDtoHAsync_v2(void *to, Address from, std::size_t bytes, void *stream) {
    return in_context([&](Driver &d) {
        const Rows rows = {static_cast<const char *>(pointer(from)), static_cast<char *>(to), 0, 0, bytes, 1, true, false};
        enqueue_copy(d, rows, static_cast<Stream *>(stream));
    });
}

// CUDA_MEMCPY2D: memory is 1 on the host, 2 on the device.
struct CopyEnd {
    std::size_t x, y;
    int type;
    void *host;
    Address device;
    void *array;
    std::size_t pitch;
    char *first() const { return (type == 1 ? static_cast<char *>(host) : static_cast<char *>(pointer(device))) + y * pitch + x; }
};
struct Copy2D {
    CopyEnd from, to;
    std::size_t width, height;
};
API cuMemcpy2DAsync_v2(const Copy2D *copy, void *stream) {
    return in_context([&](Driver &d) {
        const Rows rows = {copy->from.first(), copy->to.first(),    copy->from.pitch,     copy->to.pitch,
                           copy->width,        copy->height,        copy->from.type == 2, copy->to.type == 2};
        enqueue_copy(d, rows, static_cast<Stream *>(stream));
    });
}

API cuStreamBeginCapture_v2(void *stream, int) {
    return in_context([&](Driver &d) { d.queue.begin_capture(static_cast<Stream *>(stream)); });
}
API cuStreamEndCapture(void *stream, void **graph) {
    return in_context([&](Driver &d) { *graph = d.queue.end_capture(static_cast<Stream *>(stream)); });
}
API cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long) {
    return in_context([&](Driver &d) {
        d.queue.require(static_cast<Graph *>(graph));
        *executable = d.queue.keep(new Graph(*static_cast<Graph *>(graph)));
    });
}
API cuGraphDestroy(void *graph) {
    return in_context([&](Driver &d) { d.queue.free_graph(static_cast<Graph *>(graph)); });
}
API cuGraphExecDestroy(void *graph) {
    return in_context([&](Driver &d) { d.queue.free_graph(static_cast<Graph *>(graph)); });
}
API cuGraphLaunch(void *graph, void *stream) {
    return in_context([&](Driver &d) { d.queue.launch(static_cast<Graph *>(graph), static_cast<Stream *>(stream)); });
}

API cuModuleLoadData(void **module, const void *image) {
    return in_context([&](Driver &d) { *module = new Module(image, d.device); });
}
API cuModuleUnload(void *module) {
    return in_context([&](Driver &d) {
        d.queue.synchronize_all();
        delete static_cast<Module *>(module);
    });
}
API cuModuleGetFunction(void **function, void *module, const char *name) {
    return in_context([&](Driver &) { *function = static_cast<Module *>(module)->function(name); });
}
// CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES is 8.
API cuFuncSetAttribute(void *function, int what, int value) {
    return in_context([&](Driver &d) {
        if (what == 8 && value > d.device.shared_bytes)
            throw Failure(Status::invalid_value, "a block of this GPU has no " + std::to_string(value) + " bytes of shared memory");
        if (what == 8) static_cast<Function *>(function)->shared_limit = value;
    });
}
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *, int threads, std::size_t shared_bytes) {
    return in_context([&](Driver &d) {
        const int by_memory = shared_bytes ? d.device.shared_bytes_sm / static_cast<int>(shared_bytes + 1024) : 16;
        *blocks = std::min(by_memory, 1024 / threads);
    });
}
API cuLaunchKernel(void *function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threads_y,
                   unsigned threads_z, unsigned shared_bytes, void *stream, void **parameters, void **) {
    return in_context([&](Driver &d) {
        if (z != 1 || threads_y != 1 || threads_z != 1) throw Failure(Status::not_supported, "the emulator knows two axes");
        const emulated_driver::Launch launch = {x, y, threads, shared_bytes, parameters[0]};
        d.queue.enqueue(static_cast<Stream *>(stream),
                        emulated_driver::work_of(*static_cast<Function *>(function), launch, d.device));
    });
}

// NVIDIA's own libraries ask for tables that are nowhere described, and do without.
API cuGetExportTable(const void **table, const void *) { return *table = nullptr, static_cast<int>(Status::not_found); }

// Gives functions by the name without the ending that tells versions apart; those not listed above do not exist.
API cuGetProcAddress_v2(const char *symbol, void **function, int, std::uint64_t, int *found) {
    const std::string name(symbol);
    *function = nullptr;
    Dl_info self;
    dladdr(reinterpret_cast<void *>(&cuGetProcAddress_v2), &self);
    void *library = dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    for (const char *ending : {"_v2", "WithFlags", ""})
        if (!*function) *function = dlsym(library, (name + ending).c_str());
    if (found) *found = *function ? 0 : 1;
    return *function ? 0 : static_cast<int>(Status::not_found);
}
API cuGetProcAddress(const char *symbol, void **function, int version, std::uint64_t flags) {
    return cuGetProcAddress_v2(symbol, function, version, flags, nullptr);
}

// The functions of libcuda.so.1 that Edge SR's drivers call, as far as they need them, over the emulated GPU.
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>

#include "entry.h"
#include "modules.h"

using namespace emulated_driver;

namespace {

constexpr int kVersion = 12090;

}  // namespace

API cuInit(unsigned) { return 0; }
API cuDriverGetVersion(int *version) { return *version = kVersion, 0; }
API cuGetErrorName(int status, const char **name) { return *name = name_of(status), 0; }
API cuGetErrorString(int status, const char **text) { return *text = name_of(status), 0; }

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
            case 14: *value = 512; break;
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

API cuDeviceComputeCapability(int *major, int *minor, int) {
    return answer([&](Driver &d) { *major = d.device.major, *minor = d.device.minor; });
}

API cuDevicePrimaryCtxRetain(void **context, int) {
    return answer([&](Driver &d) { ++d.retained, *context = &d.context; });
}
API cuDevicePrimaryCtxRelease_v2(int) {
    return answer([&](Driver &d) {
        if (--d.retained < 0) throw Failure(Status::invalid_context, "the primary context is released more often than retained");
    });
}
API cuDevicePrimaryCtxRelease(int device) { return cuDevicePrimaryCtxRelease_v2(device); }
API cuDevicePrimaryCtxSetFlags_v2(int, unsigned flags) {
    return answer([&](Driver &d) { d.flags = flags; });
}
API cuDevicePrimaryCtxSetFlags(int device, unsigned flags) { return cuDevicePrimaryCtxSetFlags_v2(device, flags); }
API cuDevicePrimaryCtxGetState(int, unsigned *flags, int *active) {
    return answer([&](Driver &d) { *flags = d.flags, *active = d.retained > 0; });
}
API cuCtxCreate_v2(void **context, unsigned, int) {
    return answer([&](Driver &d) { ++depth(), *context = &d.context; });
}
API cuCtxDestroy_v2(void *) { return 0; }
API cuCtxGetDevice(int *device) { return *device = 0, 0; }
API cuCtxPushCurrent_v2(void *) { return ++depth(), 0; }
API cuCtxPopCurrent_v2(void **context) {
    return answer([&](Driver &d) {
        require_context();
        --depth();
        if (context) *context = &d.context;
    });
}
API cuCtxSetCurrent(void *context) { return depth() = context != nullptr, 0; }
API cuCtxGetCurrent(void **context) {
    return answer([&](Driver &d) { *context = depth() > 0 ? &d.context : nullptr; });
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
        const Launch launch = {x, y, threads, shared_bytes, parameters[0]};
        d.queue.enqueue(static_cast<Stream *>(stream),
                        work_of(*static_cast<Function *>(function), launch, d.device));
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

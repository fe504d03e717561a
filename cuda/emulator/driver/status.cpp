#include "status.h"

namespace emulated_driver {

const char *name_of(int status) {
    switch (static_cast<Status>(status)) {
        case Status::success: return "CUDA_SUCCESS";
        case Status::invalid_value: return "CUDA_ERROR_INVALID_VALUE";
        case Status::out_of_memory: return "CUDA_ERROR_OUT_OF_MEMORY";
        case Status::not_initialized: return "CUDA_ERROR_NOT_INITIALIZED";
        case Status::no_device: return "CUDA_ERROR_NO_DEVICE";
        case Status::invalid_device: return "CUDA_ERROR_INVALID_DEVICE";
        case Status::invalid_image: return "CUDA_ERROR_INVALID_IMAGE";
        case Status::invalid_context: return "CUDA_ERROR_INVALID_CONTEXT";
        case Status::no_binary: return "CUDA_ERROR_NO_BINARY_FOR_GPU";
        case Status::unsupported_ptx: return "CUDA_ERROR_UNSUPPORTED_PTX_VERSION";
        case Status::invalid_handle: return "CUDA_ERROR_INVALID_HANDLE";
        case Status::not_found: return "CUDA_ERROR_NOT_FOUND";
        case Status::not_ready: return "CUDA_ERROR_NOT_READY";
        case Status::launch_failed: return "CUDA_ERROR_LAUNCH_FAILED";
        case Status::not_supported: return "CUDA_ERROR_NOT_SUPPORTED";
        case Status::capture_unsupported: return "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED";
    }
    return "an unknown error";
}

}  // namespace emulated_driver

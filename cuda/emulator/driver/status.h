// What the driver answers: numbers of CUresult, and the error that carries one to the interface.
#pragma once

#include <stdexcept>
#include <string>

namespace emulated_driver {

enum class Status : int {
    success = 0,
    invalid_value = 1,
    out_of_memory = 2,
    not_initialized = 3,
    no_device = 100,
    invalid_device = 101,
    invalid_image = 200,
    invalid_context = 201,
    no_binary = 209,
    unsupported_ptx = 222,
    invalid_handle = 400,
    not_found = 500,
    not_ready = 600,
    launch_failed = 719,
    not_supported = 801,
    capture_unsupported = 900,
};

const char *name_of(int status);

class Failure : public std::runtime_error {
public:
    const Status status;
    Failure(Status status, const std::string &why) : std::runtime_error(why), status(status) {}
};

}  // namespace emulated_driver

// Images of kernels. A real image is loaded and checked as a driver would, then the kernels that it names are taken from
// the libraries in the folder EDGE_SR_EMULATED_KERNELS, which were compiled from the same sources for the emulator.
#pragma once

#include <map>
#include <string>

#include "device.h"
#include "queue.h"

namespace emulated_driver {

struct Function {
    std::string name;
    void (*entry)(const void *);
    unsigned parameter_bytes;
    int shared_limit = 48 << 10;  // what may be asked for until cuFuncSetAttribute allows more
};

struct Launch {
    unsigned blocks_x, blocks_y, threads, shared_bytes;
    const void *parameters;
};

class Module {
public:
    Module(const void *image, const Description &device);
    Function *function(const std::string &name);

private:
    std::string image_;
    std::map<std::string, Function> functions_;
};

// The work that a launch is; the parameters are copied. Throws what a driver would refuse.
Work work_of(const Function &function, const Launch &launch, const Description &device);

}  // namespace emulated_driver

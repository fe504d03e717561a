// The GPU that the driver pretends to have, and its memory, which is the host's.
//
// EDGE_SR_EMULATED_GPU describes it: "capability=8.7;integrated=1;sms=2;memory=268435456;shared=166912;seed=0", all of
// them optional; "fail_after=N" loses the device after so many pieces of work.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace emulated_driver {

struct Description {
    std::string name = "emulated GPU";
    int major = 8, minor = 6, integrated = 0, sms = 2;
    int shared_bytes = 101376, shared_bytes_sm = 102400;
    std::size_t memory = std::size_t(1) << 30;
    unsigned seed = 0;
    long fail_after = -1;
    static Description from_environment();
};

class Memory {
public:
    explicit Memory(std::size_t limit) : limit_(limit) {}
    // Device memory, which nobody has written, or null when there is too little.
    void *allocate(std::size_t bytes);
    // Page-locked memory of the host, which kernels may touch too.
    void *allocate_host(std::size_t bytes);
    // How many bytes lay there.
    std::size_t free(void *at);
    std::size_t available() const { return limit_ - used_; }
    std::size_t limit() const { return limit_; }
    // Whether one allocation holds all of these bytes.
    bool holds(const void *at, std::size_t bytes) const;

private:
    struct Allocation {
        std::size_t bytes;
        bool host;
    };
    void *take(std::size_t bytes, bool host);
    std::map<const char *, Allocation> allocations_;
    std::size_t limit_, used_ = 0;
};

}  // namespace emulated_driver

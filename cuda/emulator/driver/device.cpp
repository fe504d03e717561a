#include "device.h"

#include <cstdlib>
#include <cstring>
#include <sstream>

#include "../emulator.h"
#include "status.h"

namespace emulated_driver {
namespace {

constexpr std::size_t kAlignment = 512;

void set(Description &device, const std::string &key, const std::string &value) {
    const std::size_t dot = value.find('.');
    if (key == "capability") device.major = std::stoi(value), device.minor = std::stoi(value.substr(dot + 1));
    else if (key == "name") device.name = value;
    else if (key == "integrated") device.integrated = std::stoi(value);
    else if (key == "sms") device.sms = std::stoi(value);
    else if (key == "memory") device.memory = std::stoull(value);
    else if (key == "shared") device.shared_bytes = std::stoi(value), device.shared_bytes_sm = std::stoi(value) + 1024;
    else if (key == "seed") device.seed = static_cast<unsigned>(std::stoul(value));
    else if (key == "fail_after") device.fail_after = std::stol(value);
    else throw Failure(Status::invalid_value, "EDGE_SR_EMULATED_GPU says " + key + ", which is not known");
}

}  // namespace

Description Description::from_environment() {
    Description device;
    const char *text = std::getenv("EDGE_SR_EMULATED_GPU");
    std::stringstream parts(text ? text : "");
    for (std::string part; std::getline(parts, part, ';');) {
        const std::size_t equals = part.find('=');
        if (equals != std::string::npos) set(device, part.substr(0, equals), part.substr(equals + 1));
    }
    return device;
}

void *Memory::take(std::size_t bytes, bool host) {
    void *at = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
    if (!at) return nullptr;
    std::memset(at, 0xfb, bytes);
    allocations_[static_cast<char *>(at)] = {bytes, host};
    emulator_add_buffer(at, bytes, 1);
    return at;
}

void *Memory::allocate(std::size_t bytes) {
    if (bytes > available()) return nullptr;
    void *at = take(bytes, false);
    if (at) used_ += bytes;
    return at;
}

void *Memory::allocate_host(std::size_t bytes) {
    void *at = take(bytes, true);
    // What the host writes there nobody sees.
    if (at) emulator_fill_buffer(at, bytes);
    return at;
}

std::size_t Memory::free(void *at) {
    const auto found = allocations_.find(static_cast<char *>(at));
    if (found == allocations_.end()) throw Failure(Status::invalid_value, "memory is freed that was not allocated");
    const Allocation gone = found->second;
    if (!gone.host) used_ -= gone.bytes;
    allocations_.erase(found);
    emulator_remove_buffer(at);
    std::free(at);
    return gone.bytes;
}

bool Memory::holds(const void *at, std::size_t bytes) const {
    const char *first = static_cast<const char *>(at);
    auto next = allocations_.upper_bound(first);
    if (next == allocations_.begin()) return false;
    --next;
    return first + bytes <= next->first + next->second.bytes;
}

}  // namespace emulated_driver

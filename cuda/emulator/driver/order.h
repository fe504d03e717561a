// Vector clocks: which uses of memory by different streams happen before which.
//
// Every stream counts its own steps and remembers how far it has seen the others get: by events it waited for, and by the
// host, which sees what it waits for. Two uses of one place, one of them a write, must be ordered so.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace emulated_driver {

typedef std::map<int, int> Clock;  // steps by stream

void merge(Clock &into, const Clock &other);

// A piece of work and the moment it has in its stream.
struct Step {
    int stream = 0, tick = 0;
    std::string what;
};

struct Span {
    std::size_t start, bytes;
};

class Order {
public:
    // Adds one use, that `step` makes having seen `clock`. What is wrong with it, or nothing.
    std::string use(const Span &span, bool write, const Step &step, const Clock &clock);
    // Memory that has been freed is nobody's.
    void forget(const Span &span);

private:
    struct Place {
        Step writer;
        std::map<int, Step> readers;
    };
    std::map<std::size_t, Place> places_;
};

}  // namespace emulated_driver

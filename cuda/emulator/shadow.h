// What the emulator remembers of every piece of memory: who wrote it and who read it, and when.
//
// Time in a block is counted in epochs, which end at barriers, and inside a warp in epochs that end at warp barriers. Two
// accesses, one of them a write, must be ordered by one of these, whatever order the emulator happened to run them in.
#pragma once

#include <cstdint>

namespace emulator {

constexpr std::int16_t kNobody = -1;
constexpr std::int16_t kSeveral = -2;         // several unordered threads of this block
constexpr std::int16_t kSeveralBlocks = -3;   // threads of several blocks, which nothing orders
constexpr int kWarp = 32;

struct Moment {
    std::uint32_t run = 0;  // which block of which launch: every one has a number of its own
    std::uint16_t epoch = 0, warp_epoch = 0;
    std::int16_t thread = kNobody;
};

struct Shadow {
    Moment writer, reader;
    bool written = false;
};

// Whether `then` happens before what a thread does `now`; `first_run` is that of the launch.
inline bool ordered(const Moment &then, const Moment &now, std::uint32_t first_run) {
    if (then.thread == kNobody || then.run < first_run) return true;
    if (then.run != now.run || then.thread == kSeveralBlocks) return false;
    if (then.epoch != now.epoch || then.thread == now.thread) return true;
    if (then.thread < 0) return false;
    return then.thread / kWarp == now.thread / kWarp && then.warp_epoch != now.warp_epoch;
}

// The readers that a later writer must be ordered after, once `now` has read too.
inline Moment joined(const Moment &readers, Moment now, std::uint32_t first_run) {
    if (!ordered(readers, now, first_run))
        now.thread = readers.run != now.run || readers.thread == kSeveralBlocks ? kSeveralBlocks : kSeveral;
    return now;
}

}  // namespace emulator

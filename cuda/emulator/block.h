// One emulated GPU: the block that runs, its threads, warps and shared memory, and what a launch came to.
//
// One block runs at a time. Its threads are fibers that switch only where the GPU synchronises, in an order that a seed
// chooses; what could go wrong in any other order the shadows find.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "../kernels/machine.h"
#include "fiber.h"
#include "memory.h"
#include "shadow.h"
#include "traffic.h"

namespace emulator {

enum class Meeting { none, warp_barrier, barrier, matrices, product, half_product, int_product };
const char *name_of(Meeting meeting);

struct Copy {
    int offset;
    const void *from;
    bool present;
    Site site;
};

struct Thread {
    enum class State { ready, waits_for_warp, waits_for_block, done };
    int index = 0;
    State state = State::ready;
    Meeting meeting = Meeting::none;
    Site site = {"", 0};
    Fiber fiber;
    std::vector<Copy> open;
    std::vector<std::vector<Copy>> groups;
};

// What the lanes of a warp bring to an instruction, and take away.
struct Warp {
    int arrived = 0;
    std::uint16_t epoch = 0;
    Word4 a[kWarp];
    unsigned b[kWarp][2];
    gpu::Sums sums[kWarp];
    gpu::HalfSums half_sums[kWarp];
    gpu::IntSums int_sums[kWarp];
    Word4 rows[kWarp], taken[kWarp];
    int offsets[kWarp];
};

struct Launch {
    void (*entry)(const void *) = nullptr;
    const void *parameters = nullptr;
    int blocks_x = 1, blocks_y = 1, threads = 32, shared_bytes = 0;
    unsigned seed = 0;    // 0: in order, 1: in reverse, else shuffled
    bool noisy = false;   // sums and sines are off by as much as a GPU's may be
};

class Gpu {
public:
    GlobalMemory memory;
    Traffic traffic;
    std::string failure;  // of the last launch; empty when all went well
    std::size_t shared_used = 0;

    // Runs a kernel to its end or to the first mistake; whether it ended.
    bool run(const Launch &launch);

    // What machine_emulated.h asks for, for the thread that runs.
    int thread() const { return current_->index; }
    int block_x() const { return block_ % launch_.blocks_x; }
    int block_y() const { return block_ / launch_.blocks_x; }
    int grid_x() const { return launch_.blocks_x; }
    int lane() const { return current_->index % kWarp; }
    Warp &warp() { return warps_[current_->index / kWarp]; }
    void barrier(const Site &site);
    void warp_barrier(const Site &site);
    char *touch_shared(int offset, int bytes, bool write, const Site &site);
    void touch_global(const void *at, int bytes, bool write, const Site &site);
    void copy16(int offset, const void *from, bool present, const Site &site);
    void close_copies();
    void wait_for_copies(int open);
    // All lanes of the warp meet in one instruction: the last one `work`s for all.
    template <class Work> void together(Meeting meeting, const Site &site, const Work &work) {
        if (meet(meeting, site)) work();
        else yield();
    }
    // Uniform in [-1, 1] for a noisy launch, else 0.
    double noise();
    [[noreturn]] void fail(const std::string &what, const Site &site);

private:
    static void run_thread();
    void run_block(int block);
    bool run_warp(int warp, int &done);
    bool meet(Meeting meeting, const Site &site);
    void yield();
    void shuffle(std::vector<int> &order);
    Moment now() { return {run_, epoch_, warp().epoch, static_cast<std::int16_t>(current_->index)}; }
    // `since`: the first run whose accesses can race with this one.
    void touch(Shadow &shadow, bool write, std::uint32_t since, const char *where, const Site &site);
    std::string deadlock();

    Launch launch_;
    std::vector<Thread> threads_;
    std::vector<Warp> warps_;
    std::vector<char> shared_;
    std::vector<Shadow> shared_shadows_;
    std::vector<int> warp_order_, lane_order_;
    std::mt19937 random_;
    Thread *current_ = nullptr;
    int block_ = 0, at_barrier_ = 0;
    std::uint16_t epoch_ = 0;
    std::uint32_t run_ = 0, first_run_ = 0;
};

extern Gpu the_one_gpu;
inline Gpu &the_gpu() { return the_one_gpu; }

}  // namespace emulator

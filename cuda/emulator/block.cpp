#include "block.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

namespace emulator {

Gpu the_one_gpu;

const char *name_of(Meeting meeting) {
    static const char *const names[] = {"nothing", "warp_barrier", "barrier",      "load_matrices",
                                        "multiply", "multiply_half", "multiply_int8"};
    return names[static_cast<int>(meeting)];
}

static std::string text(const Site &site) {
    const char *slash = std::strrchr(site.file, '/');
    return std::string(slash ? slash + 1 : site.file) + ":" + std::to_string(site.line);
}

void Gpu::yield() { current_->fiber.yield(); }

void Gpu::fail(const std::string &what, const Site &site) {
    if (failure.empty())
        failure = text(site) + ": " + what + " (block " + std::to_string(block_x()) + "," + std::to_string(block_y()) +
                  ", thread " + std::to_string(thread()) + ")";
    yield();
    std::abort();  // a failed launch enters no thread again
}

void Gpu::run_thread() {
    Gpu &gpu = the_gpu();
    gpu.launch_.entry(gpu.launch_.parameters);
    Thread &self = *gpu.current_;
    if (!self.open.empty() || !self.groups.empty()) gpu.fail("a thread ends with copies under way", self.site);
    self.state = Thread::State::done;
    gpu.yield();
    std::abort();
}

bool Gpu::run(const Launch &launch) {
    launch_ = launch;
    failure.clear();
    shared_used = 0;
    memory.forget_touches();
    first_run_ = run_ + 1;
    threads_.resize(launch.threads);
    warps_.resize(launch.threads / kWarp);
    shared_.resize(launch.shared_bytes);
    shared_shadows_.resize((launch.shared_bytes + 3) / 4);
    random_.seed(launch.seed);
    std::vector<int> blocks(launch.blocks_x * launch.blocks_y);
    warp_order_.resize(warps_.size());
    lane_order_.resize(kWarp);
    for (std::vector<int> *order : {&blocks, &warp_order_, &lane_order_}) shuffle(*order);
    for (int block : blocks) {
        run_block(block);
        if (!failure.empty()) return false;
    }
    return true;
}

void Gpu::shuffle(std::vector<int> &order) {
    std::iota(order.begin(), order.end(), 0);
    if (launch_.seed == 1) std::reverse(order.begin(), order.end());
    if (launch_.seed > 1) std::shuffle(order.begin(), order.end(), random_);
}

void Gpu::run_block(int block) {
    block_ = block;
    ++run_;
    at_barrier_ = epoch_ = 0;
    for (Warp &warp : warps_) warp.arrived = warp.epoch = 0;
    // Never written, it is noise: a large negative number as float, and as float16.
    std::memset(shared_.data(), 0xfb, shared_.size());
    for (std::size_t i = 0; i < threads_.size(); ++i) {
        Thread &thread = threads_[i];
        thread.index = static_cast<int>(i);
        thread.state = Thread::State::ready;
        thread.open.clear();
        thread.groups.clear();
        thread.fiber.prepare(&Gpu::run_thread);
    }
    int done = 0;
    while (done < launch_.threads) {
        bool moved = false;
        for (int warp : warp_order_) moved |= run_warp(warp, done);
        if (!failure.empty()) return;
        if (!moved) {
            failure = deadlock();
            return;
        }
    }
    if (traffic.on) traffic.settle();
}

// Runs a warp's threads until none of them can go on; whether any could.
bool Gpu::run_warp(int warp, int &done) {
    bool any = false;
    for (bool moved = true; moved && failure.empty(); any |= moved) {
        moved = false;
        for (int lane : lane_order_) {
            Thread &thread = threads_[warp * kWarp + lane];
            if (thread.state != Thread::State::ready) continue;
            moved = true;
            current_ = &thread;
            thread.fiber.enter();
            if (!failure.empty()) return true;
            done += thread.state == Thread::State::done;
        }
    }
    return any;
}

std::string Gpu::deadlock() {
    std::string list;
    int shown = 0, done = 0;
    for (const Thread &thread : threads_) {
        done += thread.state == Thread::State::done;
        if (thread.state != Thread::State::done && shown++ < 3)
            list += ", thread " + std::to_string(thread.index) + " waits in " + name_of(thread.meeting) + " at " +
                    text(thread.site);
    }
    return "deadlock in block " + std::to_string(block_x()) + "," + std::to_string(block_y()) + ": " +
           std::to_string(done) + " threads have ended" + list;
}

bool Gpu::meet(Meeting meeting, const Site &site) {
    Thread &self = *current_;
    const int first = self.index / kWarp * kWarp;
    self.meeting = meeting;
    self.site = site;
    if (++warp().arrived < kWarp) {
        self.state = Thread::State::waits_for_warp;
        return false;
    }
    warp().arrived = 0;
    for (int i = first; i < first + kWarp; ++i) {
        const Thread &other = threads_[i];
        if (other.meeting != meeting || other.site.line != site.line || std::strcmp(other.site.file, site.file))
            fail(std::string("lanes of a warp are apart: ") + name_of(meeting) + " here, " + name_of(other.meeting) +
                     " at " + text(other.site),
                 site);
    }
    for (int i = first; i < first + kWarp; ++i) threads_[i].state = Thread::State::ready;
    return true;
}

void Gpu::warp_barrier(const Site &site) {
    together(Meeting::warp_barrier, site, [this] { warp().epoch++; });
}

void Gpu::barrier(const Site &site) {
    Thread &self = *current_;
    self.meeting = Meeting::barrier;
    self.site = site;
    if (++at_barrier_ < launch_.threads) {
        self.state = Thread::State::waits_for_block;
        yield();
        return;
    }
    for (const Thread &thread : threads_)
        if (thread.site.line != site.line || std::strcmp(thread.site.file, site.file))
            fail("threads of a block are at different barriers, here and at " + text(thread.site), site);
    at_barrier_ = 0;
    epoch_++;
    for (Thread &thread : threads_) thread.state = Thread::State::ready;
}

void Gpu::touch(Shadow &shadow, bool write, std::uint32_t since, const char *where, const Site &site) {
    const Moment moment = now();
    if (!ordered(shadow.writer, moment, since))
        fail(std::string("race in ") + where + ": written by thread " + std::to_string(shadow.writer.thread), site);
    if (!write) {
        if (!shadow.written) fail(std::string("read of ") + where + " that was never written", site);
        shadow.reader = joined(shadow.reader, moment, since);
        return;
    }
    if (!ordered(shadow.reader, moment, since))
        fail(std::string("race in ") + where + ": still read by " +
                 (shadow.reader.thread < 0 ? "several threads" : "thread " + std::to_string(shadow.reader.thread)),
             site);
    shadow.writer = moment;
    shadow.written = true;
}

char *Gpu::touch_shared(int offset, int bytes, bool write, const Site &site) {
    if (offset < 0 || offset + bytes > launch_.shared_bytes)
        fail("shared memory: offset " + std::to_string(offset) + " is outside", site);
    if (offset % bytes) fail("shared memory: offset " + std::to_string(offset) + " is not aligned", site);
    shared_used = std::max<std::size_t>(shared_used, offset + bytes);
    for (int i = offset / 4; i <= (offset + bytes - 1) / 4; ++i) {
        Shadow &shadow = shared_shadows_[i];
        // What an earlier block left there is nothing to this one.
        if (shadow.writer.run != run_) shadow.written = false;
        touch(shadow, write, run_, "shared memory", site);
    }
    if (traffic.on) traffic.note(text(site), thread() / kWarp, lane(), offset, bytes, false);
    return shared_.data() + offset;
}

void Gpu::touch_global(const void *at, int bytes, bool write, const Site &site) {
    Buffer *buffer = memory.find(at, bytes);
    const char *kind = write ? "store" : "load";
    if (!buffer) fail(std::string("global memory: ") + kind + " outside of every buffer", site);
    if (write && !buffer->writable) fail("global memory: store into a buffer that is read only", site);
    if (reinterpret_cast<std::uintptr_t>(at) % bytes) fail(std::string("global memory: ") + kind + " is not aligned", site);
    const std::size_t from = static_cast<const char *>(at) - buffer->start;
    buffer->touch(from, bytes, write ? kWritten : kRead);
    if (buffer->writable)
        buffer->visit(from, bytes, [&](Shadow &shadow) { touch(shadow, write, first_run_, "global memory", site); });
    if (traffic.on) traffic.note(text(site), thread() / kWarp, lane(), reinterpret_cast<long>(at), bytes, true);
}

// As late as a GPU may: the bytes arrive when the thread waits, and until then nobody may touch the place.
void Gpu::copy16(int offset, const void *from, bool present, const Site &site) {
    std::memset(touch_shared(offset, 16, true, site), 0xfb, 16);
    for (int i = 0; i < 4; ++i) shared_shadows_[offset / 4 + i].written = false;
    if (present) touch_global(from, 16, false, site);
    current_->open.push_back({offset, from, present, site});
}

void Gpu::close_copies() {
    current_->groups.push_back(std::move(current_->open));
    current_->open.clear();
}

void Gpu::wait_for_copies(int open) {
    auto &groups = current_->groups;
    while (static_cast<int>(groups.size()) > open) {
        for (const Copy &copy : groups.front()) {
            char *to = touch_shared(copy.offset, 16, true, copy.site);
            copy.present ? static_cast<void>(std::memcpy(to, copy.from, 16)) : static_cast<void>(std::memset(to, 0, 16));
        }
        groups.erase(groups.begin());
    }
}

double Gpu::noise() { return launch_.noisy ? std::uniform_real_distribution<double>(-1.0, 1.0)(random_) : 0.0; }

}  // namespace emulator

#include "emulator.h"

#include <string>

#include "block.h"

using emulator::the_gpu;

extern "C" {

void emulator_add_buffer(const void *start, std::size_t bytes, int writable) {
    the_gpu().memory.add(start, bytes, writable != 0);
}
void emulator_fill_buffer(const void *start, std::size_t bytes) {
    if (emulator::Buffer *buffer = the_gpu().memory.find(start, bytes))
        buffer->fill(static_cast<const char *>(start) - buffer->start, bytes);
}
void emulator_remove_buffer(const void *start) { the_gpu().memory.remove(start); }
void emulator_remove_buffers() { the_gpu().memory.clear(); }
void emulator_count_traffic(int on) { the_gpu().traffic.on = on != 0; }

const char *emulator_launch(void (*entry)(const void *), const void *parameters, int blocks_x, int blocks_y, int threads,
                            int shared_bytes, unsigned seed, int noisy) {
    const emulator::Launch launch = {entry, parameters, blocks_x, blocks_y, threads, shared_bytes, seed, noisy != 0};
    return the_gpu().run(launch) ? nullptr : the_gpu().failure.c_str();
}
std::size_t emulator_shared_used() { return the_gpu().shared_used; }
const char *emulator_traffic() {
    static std::string report;
    report = the_gpu().traffic.report();
    the_gpu().traffic.clear();
    return report.c_str();
}
void emulator_each_buffer(void (*visit)(const void *, void *), void *with) {
    for (const auto &item : the_gpu().memory.buffers) visit(item.first, with);
}
const unsigned char *emulator_touched(const void *start, std::size_t *granules) {
    const auto found = the_gpu().memory.buffers.find(static_cast<const char *>(start));
    if (found == the_gpu().memory.buffers.end()) return nullptr;
    *granules = found->second.touched.size();
    return found->second.touched.data();
}
}

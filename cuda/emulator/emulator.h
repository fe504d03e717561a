// The emulator's plain C interface: for tests through ctypes, and for the CUDA driver in driver/.
#pragma once

#include <cstddef>

extern "C" {
// Memory that kernels may touch: read only and full, or writable and empty.
void emulator_add_buffer(const void *start, std::size_t bytes, int writable);
void emulator_fill_buffer(const void *start, std::size_t bytes);
void emulator_remove_buffer(const void *start);
void emulator_remove_buffers();
void emulator_count_traffic(int on);
// Runs one kernel; null when all went well, else what went wrong.
const char *emulator_launch(void (*entry)(const void *), const void *parameters, int blocks_x, int blocks_y, int threads,
                            int shared_bytes, unsigned seed, int noisy);
// Bytes of shared memory that the last launch reached.
std::size_t emulator_shared_used();
// The traffic counted since it was last asked for.
const char *emulator_traffic();
// Calls visit(start, with) for every buffer.
void emulator_each_buffer(void (*visit)(const void *start, void *with), void *with);
// Granules of kGranule bytes of a buffer that the last launch touched: bit 0 read, bit 1 written. Null if unknown.
const unsigned char *emulator_touched(const void *start, std::size_t *granules);
}

// One instruction each, to hold machine.h on a GPU against what the emulator takes the instructions to be.
#include "machine.h"

struct Probe {
    const Word4 *a;     // one for each lane
    const unsigned *b;  // two for each lane
    const void *c;      // four words for each lane
    void *d;            // four words for each lane
};

KERNEL(32, 1, probe_multiply, Probe, p) {
    const int lane = gpu::lane();
    gpu::Sums c;
    for (int i = 0; i < 4; ++i) c.at[i] = gpu::load(static_cast<const float *>(p.c) + 4 * lane + i);
    const gpu::Sums d = gpu::multiply(gpu::load(p.a + lane), gpu::load(p.b + 2 * lane), gpu::load(p.b + 2 * lane + 1), c);
    for (int i = 0; i < 4; ++i) gpu::store(static_cast<float *>(p.d) + 4 * lane + i, d.at[i]);
}
KERNEL(32, 1, probe_multiply_half, Probe, p) {
    const int lane = gpu::lane();
    const unsigned *c = static_cast<const unsigned *>(p.c) + 4 * lane;
    const gpu::HalfSums from = {gpu::load(c), gpu::load(c + 1)};
    const gpu::HalfSums d =
        gpu::multiply_half(gpu::load(p.a + lane), gpu::load(p.b + 2 * lane), gpu::load(p.b + 2 * lane + 1), from);
    gpu::store(static_cast<unsigned *>(p.d) + 4 * lane, d.low);
    gpu::store(static_cast<unsigned *>(p.d) + 4 * lane + 1, d.high);
}
KERNEL(32, 1, probe_multiply_int8, Probe, p) {
    const int lane = gpu::lane();
    gpu::IntSums c;
    for (int i = 0; i < 4; ++i) c.at[i] = gpu::load(static_cast<const int *>(p.c) + 4 * lane + i);
    const gpu::IntSums d =
        gpu::multiply_int8(gpu::load(p.a + lane), gpu::load(p.b + 2 * lane), gpu::load(p.b + 2 * lane + 1), c);
    for (int i = 0; i < 4; ++i) gpu::store(static_cast<int *>(p.d) + 4 * lane + i, d.at[i]);
}
// Copies a to shared memory by the asynchronous copy, odd lanes' as zeros, and takes it back as matrices.
KERNEL(32, 1, probe_matrices, Probe, p) {
    const int lane = gpu::lane();
    gpu::copy16(16 * lane, p.a + lane, lane % 2 == 0);
    gpu::copies_close();
    gpu::copies_wait<0>();
    gpu::barrier();
    gpu::store(static_cast<Word4 *>(p.d) + lane, gpu::load_matrices(16 * (lane ^ 5)));
}
KERNEL(32, 1, probe_sine, Probe, p) {
    const int lane = gpu::lane();
    for (int i = 0; i < 4; ++i)
        gpu::store(static_cast<float *>(p.d) + 4 * lane + i,
                   gpu::fast_sine(gpu::load(static_cast<const float *>(p.c) + 4 * lane + i)));
}
// Two floats to halves and back, the positive ones of them, and the nearest integer of a third.
KERNEL(32, 1, probe_rounding, Probe, p) {
    const int lane = gpu::lane();
    const float *c = static_cast<const float *>(p.c) + 4 * lane;
    const unsigned h = gpu::halves(gpu::load(c), gpu::load(c + 1));
    gpu::store(static_cast<float *>(p.d) + 4 * lane, gpu::low_half(h));
    gpu::store(static_cast<float *>(p.d) + 4 * lane + 1, gpu::high_half(h));
    gpu::store(static_cast<unsigned *>(p.d) + 4 * lane + 2, gpu::positive_halves(gpu::load(c), gpu::load(c + 1)));
    gpu::store(static_cast<int *>(p.d) + 4 * lane + 3, gpu::nearest(gpu::load(c + 2)));
}
// Four integers as saturated bytes.
KERNEL(32, 1, probe_bytes, Probe, p) {
    const int lane = gpu::lane();
    const int *c = static_cast<const int *>(p.c) + 4 * lane;
    gpu::store(static_cast<unsigned *>(p.d) + 4 * lane,
               gpu::signed_bytes(gpu::load(c), gpu::load(c + 1), gpu::load(c + 2), gpu::load(c + 3)));
    for (int i = 1; i < 4; ++i) gpu::store(static_cast<unsigned *>(p.d) + 4 * lane + i, 0u);
}

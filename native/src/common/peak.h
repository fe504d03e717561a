// Loops of nothing but one kernel's multiply-adds, all operands in registers: what a processor can do at most.
#pragma once

namespace esr {

struct PeakLoop {
    void (*run)(long turns) = nullptr;  // null: the kernel has no such products
    double operations = 0;              // of one turn; a multiply-add counts as two
};

// Operations in a second, in 10^9, on `threads` threads: the best of runs that take about `seconds` together.
double measure_peak(const PeakLoop &loop, void (*begin)(), void (*end)(), int threads, double seconds);

}  // namespace esr

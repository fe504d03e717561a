#include "common/peak.h"

#include <algorithm>
#include <chrono>

#include "common/threads.h"

namespace esr {
namespace {

constexpr long kFirstTurns = 2000;
constexpr double kRun = 2e-3;  // seconds: longer than starting a thread, shorter than other work stays away

double seconds_of(const PeakLoop &loop, void (*begin)(), void (*end)(), int threads, long turns) {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    run_on_threads(threads, [&](int) {
        if (begin) begin();
        loop.run(turns);
        if (end) end();
    });
    return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

double measure_peak(const PeakLoop &loop, void (*begin)(), void (*end)(), int threads, double seconds) {
    if (!loop.run) return 0;
    const double first = seconds_of(loop, begin, end, 1, kFirstTurns);
    const long turns = std::max(kFirstTurns, long(kFirstTurns * kRun / std::max(first, 1e-9)));
    double best = 1e9;
    for (double spent = 0; spent < seconds;) {
        const double run = seconds_of(loop, begin, end, threads, turns);
        best = std::min(best, run);
        spent += run;
    }
    return threads * loop.operations * double(turns) / best / 1e9;
}

}  // namespace esr

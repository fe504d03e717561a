#include "common/threads.h"

#include <algorithm>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "common/denormals.h"

namespace esr {
namespace {

constexpr int kMaxThreads = 256;

void work_flushed(int i, const std::function<void(int)> &work) {
    const FlushDenormals flushed;
    work(i);
}

void start_helpers(int count, const std::function<void(int)> &work, std::vector<std::thread> &helpers) {
    helpers.reserve(std::size_t(count));
    try {
        for (int i = 1; i < count; ++i) helpers.emplace_back([i, &work] { work_flushed(i, work); });
    } catch (const std::system_error &) {
    } catch (const std::bad_alloc &) {
    }
}

}  // namespace

void run_on_threads(int count, const std::function<void(int)> &work) {
    std::vector<std::thread> helpers;
    start_helpers(std::min(count, kMaxThreads), work, helpers);
    work_flushed(0, work);
    for (int i = int(helpers.size()) + 1; i < count; ++i) work_flushed(i, work);
    for (std::thread &helper : helpers) helper.join();
}

}  // namespace esr

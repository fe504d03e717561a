#include "workers.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace esr {
namespace {

constexpr int kMaxThreads = 256;

struct Shared {
    const PackedNetwork &network;
    const Preparation &call;
    const Kernel &kernel;
    std::atomic<std::size_t> next{0};
};

void work(Shared &shared, Word *scratch) {
    const std::vector<WorkItem> &items = shared.call.items();
    for (std::size_t i = shared.next++; i < items.size(); i = shared.next++)
        shared.kernel.run(shared.network.view(), shared.call.view(), items[i], scratch);
}

// A machine that gives no more threads still gets its work done, by fewer.
void start_helpers(Shared &shared, std::vector<Buffer<Word>> &scratch, std::vector<std::thread> &helpers) {
    try {
        for (std::size_t i = 1; i < scratch.size(); ++i)
            helpers.emplace_back([&shared, words = scratch[i].data()] { work(shared, words); });
    } catch (const std::system_error &) {
    }
}

}  // namespace

void decode_all(const PackedNetwork &network, const Preparation &call, const Kernel &kernel, int threads) {
    const std::size_t count = std::min({std::size_t(threads), call.items().size(), std::size_t(kMaxThreads)});
    std::vector<Buffer<Word>> scratch;
    for (std::size_t i = 0; i < count; ++i) scratch.emplace_back(2 * std::size_t(network.view().scratch_half));
    std::vector<std::thread> helpers;
    helpers.reserve(count);
    Shared shared{network, call, kernel};
    start_helpers(shared, scratch, helpers);
    work(shared, scratch[0].data());
    for (std::thread &helper : helpers) helper.join();
}

}  // namespace esr

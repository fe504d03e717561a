#include "decoder/workers.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "common/threads.h"

namespace esr {

void decode_all(const PackedNetwork &network, const Preparation &call, const Kernel &kernel, int threads) {
    const std::vector<WorkItem> &items = call.items();
    const std::size_t count = std::min(std::size_t(threads), items.size());
    std::vector<Buffer<Word>> scratch;
    for (std::size_t i = 0; i < count; ++i) scratch.emplace_back(2 * kRowsTogether * std::size_t(network.view().scratch_half));
    std::atomic<std::size_t> next{0};
    run_on_threads(int(count), [&](int worker) {
        if (kernel.begin) kernel.begin();
        for (std::size_t i = next++; i < items.size(); i = next++)
            kernel.run(network.view(), call.view(), items[i], scratch[std::size_t(worker)].data());
        if (kernel.end) kernel.end();
    });
}

}  // namespace esr

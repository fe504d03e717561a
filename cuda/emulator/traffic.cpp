#include "traffic.h"

#include <algorithm>
#include <set>

namespace emulator {
namespace {

constexpr int kBanks = 32, kBankBytes = 4, kSector = 32;

// A request of 8 bytes a lane goes by half warps, one of 16 by quarters; each takes as many wavefronts as the words that
// its busiest bank has to give.
long wavefronts(const Addresses &addresses, int bytes) {
    const int group = bytes == 16 ? 8 : bytes == 8 ? 16 : 32;
    long total = 0;
    for (int first = 0; first < kWarp; first += group) {
        std::set<long> words[kBanks];
        for (int lane = first; lane < first + group; ++lane)
            for (int at = 0; addresses[lane] >= 0 && at < bytes; at += kBankBytes) {
                const long word = (addresses[lane] + at) / kBankBytes;
                words[word % kBanks].insert(word);
            }
        std::size_t most = 0;
        for (const auto &bank : words) most = std::max(most, bank.size());
        total += static_cast<long>(most);
    }
    return total;
}

long whole(long amount, long piece) { return (amount + piece - 1) / piece; }

}  // namespace

void Traffic::clear() {
    shared_.clear();
    global_.clear();
    pending_.clear();
}

void Traffic::note(const std::string &where, int warp, int lane, long address, int bytes, bool global) {
    Pending &pending = pending_[{warp, global, where}];
    pending.bytes = bytes;
    const std::size_t number = pending.executed[lane]++;
    if (number >= pending.requests.size()) pending.requests.resize(number + 1, Addresses(kWarp, -1));
    pending.requests[number][lane] = address;
}

void Traffic::add_shared(const std::string &where, const Addresses &addresses, int bytes) {
    Count &count = shared_[where];
    std::set<long> words;
    for (long address : addresses)
        for (int at = 0; address >= 0 && at < bytes; at += kBankBytes) words.insert((address + at) / kBankBytes);
    count.requests++;
    count.taken += wavefronts(addresses, bytes);
    count.ideal += whole(static_cast<long>(words.size()), kBanks);
}

void Traffic::add_global(const std::string &where, const Addresses &addresses, int bytes) {
    Count &count = global_[where];
    std::set<long> sectors, wanted;
    for (long address : addresses)
        for (int at = 0; address >= 0 && at < bytes; ++at) {
            sectors.insert((address + at) / kSector);
            wanted.insert(address + at);
        }
    count.requests++;
    count.taken += static_cast<long>(sectors.size());
    count.ideal += whole(static_cast<long>(wanted.size()), kSector);
}

void Traffic::settle() {
    for (const auto &[key, pending] : pending_)
        for (const Addresses &addresses : pending.requests)
            std::get<bool>(key) ? add_global(std::get<std::string>(key), addresses, pending.bytes)
                                : add_shared(std::get<std::string>(key), addresses, pending.bytes);
    pending_.clear();
}

std::string Traffic::report() const {
    std::string text;
    auto list = [&text](const char *kind, const char *unit, const std::map<std::string, Count> &counts) {
        for (const auto &[where, count] : counts)
            text += std::string(kind) + " " + where + " requests " + std::to_string(count.requests) + " " + unit + " " +
                    std::to_string(count.taken) + " ideal " + std::to_string(count.ideal) + "\n";
    };
    list("shared", "wavefronts", shared_);
    list("global", "sectors", global_);
    return text;
}

}  // namespace emulator

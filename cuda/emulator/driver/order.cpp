#include "order.h"

#include <algorithm>

namespace emulated_driver {
namespace {

constexpr std::size_t kPlace = 64;  // bytes; allocations begin at multiples of more

bool seen(const Clock &clock, const Step &step) {
    const auto known = clock.find(step.stream);
    return !step.tick || (known != clock.end() && known->second >= step.tick);
}

std::string unordered(const Step &now, const Step &then) {
    return "missing synchronisation: " + now.what + " on stream " + std::to_string(now.stream) + " does not wait for " +
           then.what + " on stream " + std::to_string(then.stream);
}

}  // namespace

void merge(Clock &into, const Clock &other) {
    for (const auto &[stream, tick] : other) into[stream] = std::max(into[stream], tick);
}

std::string Order::use(const Span &span, bool write, const Step &step, const Clock &clock) {
    for (std::size_t at = span.start / kPlace; at <= (span.start + span.bytes - 1) / kPlace; ++at) {
        Place &place = places_[at];
        if (!seen(clock, place.writer)) return unordered(step, place.writer);
        if (write) {
            for (const auto &reader : place.readers)
                if (!seen(clock, reader.second)) return unordered(step, reader.second);
            place.writer = step;
            place.readers.clear();
        } else {
            place.readers[step.stream] = step;
        }
    }
    return "";
}

void Order::forget(const Span &span) {
    places_.erase(places_.lower_bound(span.start / kPlace), places_.upper_bound((span.start + span.bytes) / kPlace));
}

}  // namespace emulated_driver

#include "taps.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace edgesr {
namespace {

/* Keys' cubic with a = -0.6, at a distance in samples. */
constexpr double kCubic = 0.6;
/* Taps at the ends go while together they weigh less than this. */
constexpr double kNegligible = 0.002;

double cubic(double x) {
    if (x < 1) return ((2 - kCubic) * x - (3 - kCubic)) * x * x + 1;
    if (x < 2) return kCubic * (((5 - x) * x - 8) * x + 4);
    return 0;
}

/* One output's filter before it is rounded. */
struct Filter {
    std::int64_t first = 0;
    std::vector<double> weights;
};

/* Steps and positions in fixed point as swscale takes them: 16 bits a sample, halves of that for centres. */
std::vector<Filter> sampled(int given, int wanted, int given_position, int wanted_position) {
    const std::int64_t step = ((std::int64_t(given) << 16) + (wanted >> 1)) / wanted;
    const bool shrinks = step > 1 << 16;
    const int size = std::max(1, std::min(given - 2, shrinks ? 1 + (4 * given + wanted - 1) / wanted : 5));
    std::int64_t centre = (wanted_position * step >> 7) - ((given_position * std::int64_t(65536)) >> 7);
    std::vector<Filter> filters(static_cast<std::size_t>(wanted));
    for (Filter &filter : filters) {
        filter.first = (centre - (size - 2) * (std::int64_t(1) << 16)) / (1 << 17);
        for (int tap = 0; tap < size; ++tap) {
            double distance = double(std::llabs((filter.first + tap) * (std::int64_t(1) << 17) - centre)) / (1 << 17);
            if (shrinks) distance = distance * wanted / given;
            filter.weights.push_back(cubic(distance));
        }
        centre += 2 * step;
    }
    return filters;
}

/* Drops what weighs nearly nothing at the left, as long as filters keep their order, and tells how many taps are left.
 */
int trimmed(Filter &filter, const Filter *following, double one) {
    double dropped = 0;
    for (std::size_t tap = 0; tap < filter.weights.size(); ++tap) {
        dropped += std::fabs(filter.weights.front());
        if (dropped > kNegligible * one || (following && filter.first >= following->first)) break;
        std::rotate(filter.weights.begin(), filter.weights.begin() + 1, filter.weights.end());
        filter.weights.back() = 0;
        ++filter.first;
    }
    double right = 0;
    int needed = int(filter.weights.size());
    for (std::size_t tap = filter.weights.size() - 1; tap > 0; --tap, --needed) {
        right += std::fabs(filter.weights[tap]);
        if (right > kNegligible * one) break;
    }
    return needed;
}

/* Moves what lies outside the samples onto the outermost one. */
void clamp(Filter &filter, int given) {
    const int size = int(filter.weights.size());
    const std::int64_t first = std::clamp<std::int64_t>(filter.first, 0, std::max(0, given - size));
    std::vector<double> inside(filter.weights.size(), 0.0);
    for (int tap = 0; tap < size; ++tap) {
        const std::int64_t sample = std::clamp<std::int64_t>(filter.first + tap, 0, given - 1);
        inside[std::size_t(std::clamp<std::int64_t>(sample - first, 0, size - 1))] += filter.weights[std::size_t(tap)];
    }
    filter.first = first;
    filter.weights = std::move(inside);
}

/* To integers that sum to 2^bits: each rounding's error goes on to the next tap. */
void append_rounded(const Filter &filter, int bits, Taps &taps) {
    double sum = 0, error = 0;
    for (const double weight : filter.weights) sum += weight;
    const double unit = sum / double(1 << bits);
    taps.first.push_back(int(filter.first));
    for (const double weight : filter.weights) {
        const double value = weight + error;
        const double rounded = std::round(value / unit);
        taps.coefficients.push_back(std::int32_t(rounded));
        error = value - rounded * unit;
    }
}

Taps untouched(int count, int bits) {
    Taps taps;
    for (int i = 0; i < count; ++i) taps.first.push_back(i);
    taps.coefficients.assign(std::size_t(count), 1 << bits);
    return taps;
}

}  // namespace

Taps bicubic_taps(int given, int wanted, int given_position, int wanted_position, int bits) {
    if (given == wanted && given_position == wanted_position) return untouched(given, bits);
    std::vector<Filter> filters = sampled(given, wanted, given_position, wanted_position);
    Taps taps;
    for (std::size_t i = filters.size(); i-- > 0;) {
        const Filter *following = i + 1 < filters.size() ? &filters[i + 1] : nullptr;
        taps.size = std::max(taps.size, trimmed(filters[i], following, 1.0));
    }
    for (Filter &filter : filters) {
        filter.weights.resize(std::size_t(taps.size));
        clamp(filter, given);
        append_rounded(filter, bits, taps);
    }
    return taps;
}

int position_across(ChromaLocation location) {
    const bool left = location == ChromaLocation::left || location == ChromaLocation::top_left ||
                      location == ChromaLocation::bottom_left;
    return left ? kMiddle / 2 : kMiddle;
}

int position_down(ChromaLocation location) {
    if (location == ChromaLocation::top_left || location == ChromaLocation::top) return kMiddle / 2;
    if (location == ChromaLocation::bottom_left || location == ChromaLocation::bottom) return kMiddle + kMiddle / 2;
    return kMiddle;
}

}  // namespace edgesr

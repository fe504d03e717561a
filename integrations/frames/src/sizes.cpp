#include "sizes.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "error.h"

namespace edgesr {
namespace {

constexpr int kLargestSide = 65536;
constexpr double kLargestScale = 64;
/* H.264 and H.265 have 16 bits for either side of a pixel aspect. */
constexpr std::int64_t kMostAspect = 65535;

__extension__ using Wide = __int128;

/* A double as the decimal that it prints as: digits / ten^places. */
struct Decimal {
    std::int64_t digits = 0, power = 1;
};

Decimal as_printed(double value) {
    char buffer[64];
    const char *end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
    Decimal result;
    bool fraction = false;
    for (const char *at = buffer; at != end; ++at) {
        if (*at == '.') {
            fraction = true;
        } else if (result.power < 10'000'000'000'000'000) {
            result.digits = 10 * result.digits + (*at - '0');
            if (fraction) result.power *= 10;
        }
    }
    return result;
}

int scaled(int length, const Decimal &scale) {
    return int((2 * Wide(length) * scale.digits + scale.power) / (2 * Wide(scale.power)));
}

Size by_scale(Size given, double scale) {
    if (!(scale >= 1 && scale <= kLargestScale)) throw Error("scale must lie between 1 and 64");
    const Decimal exact = as_printed(scale);
    return {scaled(given.width, exact), scaled(given.height, exact)};
}

Size by_height(Size given, int height) {
    const std::int64_t twice = 2 * std::int64_t(given.width) * height + given.height;
    return {int(std::min<std::int64_t>(twice / (2 * given.height), kLargestSide + 1)), height};
}

int even(int length, int step) { return (length + step - 1) / step * step; }

Ratio reduced(Ratio ratio) {
    const std::int64_t divisor = std::gcd(ratio.over, ratio.under);
    return {ratio.over / divisor, ratio.under / divisor};
}

bool closer(Ratio one, Ratio other, Ratio to) {
    const auto distance = [&](Ratio ratio) {
        return std::fabs((long double)ratio.over / ratio.under - (long double)to.over / to.under);
    };
    return distance(one) < distance(other);
}

/* The nearest ratio whose lower side is at most kMostAspect, by continued fractions. */
Ratio limited(Ratio ratio) {
    ratio = reduced(ratio);
    if (ratio.under <= kMostAspect) return ratio;
    Ratio before{0, 1}, last{1, 0}, rest = ratio;
    while (true) {
        const std::int64_t whole = rest.over / rest.under;
        if (before.under + whole * last.under > kMostAspect) break;
        const Ratio next{before.over + whole * last.over, before.under + whole * last.under};
        before = last;
        last = next;
        rest = {rest.under, rest.over - whole * rest.under};
    }
    const std::int64_t steps = (kMostAspect - before.under) / last.under;
    const Ratio between{before.over + steps * last.over, before.under + steps * last.under};
    return closer(between, last, ratio) ? between : last;
}

}  // namespace

std::string text(Size size) { return std::to_string(size.width) + "x" + std::to_string(size.height); }

Size output_size(Size given, const SizeRequest &request, int across, int down) {
    const bool by_size = request.width != 0;
    if ((request.scale != 0) + (by_size || request.height != 0) != 1)
        throw Error("give exactly one of scale, height, and width with height");
    if (by_size && request.height == 0) throw Error("width goes with a height: give both, or height alone");
    if (request.width < 0 || request.height < 0) throw Error("width and height are whole numbers of pixels above 0");
    Size size{request.width, request.height};
    if (request.scale != 0) size = by_scale(given, request.scale);
    else if (!by_size) size = by_height(given, request.height);
    const Size fitting{even(size.width, across), even(size.height, down)};
    if (by_size && fitting != size)
        throw Error("this format halves its chroma, so " + text(size) + " cannot be written: ask for " + text(fitting));
    if (fitting.width < given.width || fitting.height < given.height)
        throw Error("the output may not be smaller than the input: " + text(given) + " to " + text(fitting));
    if (std::max(fitting.width, fitting.height) > kLargestSide)
        throw Error("an output side may have at most 65536 pixels, found " + text(fitting));
    return fitting;
}

Ratio pixel_aspect(Ratio aspect, Size before, Size after) {
    const double change = double(before.width) * after.height / (double(before.height) * after.width);
    const double rounding = std::max(2.0 / std::min(after.width, after.height), 1.0 / 200);
    if (std::fabs(change - 1) <= rounding) return aspect;
    const Ratio shape = reduced({std::int64_t(before.width) * after.height, std::int64_t(before.height) * after.width});
    const Ratio given = limited(aspect);
    return limited({given.over * shape.over, given.under * shape.under});
}

}  // namespace edgesr

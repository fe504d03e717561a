#include "headroom.h"

#include <algorithm>

#include "components.h"
#include "rows.h"

namespace edgesr {

Headroom::Headroom(const PixelFormat &format, Size given, Size wanted)
    : format_(format),
      given_(given),
      wanted_(wanted),
      black_(16 << (format.depth - 8)),
      white_(235 << (format.depth - 8)),
      across_(places(given.width, wanted.width)),
      down_(places(given.height, wanted.height)) {}

std::vector<Headroom::Place> Headroom::places(int given, int wanted) {
    std::vector<Place> found;
    for (int i = 0; i < wanted; ++i) {
        const double place = std::max(0.0, (i + 0.5) * given / wanted - 0.5);
        const int first = std::min(int(place), given - 1);
        found.push_back({first, std::min(first + 1, given - 1), float(place - first)});
    }
    return found;
}

/* Which rows of the source have any. */
std::vector<char> Headroom::rows_beyond(const Component &luma, int threads) const {
    std::vector<char> found(std::size_t(given_.height));
    share_rows(given_.height, threads, [&](int begin, int end) {
        std::vector<std::int32_t> codes(std::size_t(given_.width));
        for (int y = begin; y < end; ++y) {
            load_codes(luma, format_, y, given_.width, codes.data());
            int least = white_, most = black_;
            for (const std::int32_t code : codes) {
                least = std::min(least, code);
                most = std::max(most, code);
            }
            found[std::size_t(y)] = least < black_ || most > white_;
        }
    });
    return found;
}

void Headroom::carry_over(const Component &luma, const Colour &colour, const WritableComponent &out,
                          int threads) const {
    if (format_.rgb || colour.full_range) return;
    const std::vector<char> beyond = rows_beyond(luma, threads);
    if (std::find(beyond.begin(), beyond.end(), 1) == beyond.end()) return;
    const Component written{out.data, out.row, out.step};
    const int top = (1 << format_.depth) - 1;
    share_rows(wanted_.height, threads, [&](int begin, int end) {
        std::vector<std::int32_t> codes(std::size_t(std::max(given_.width, wanted_.width)));
        std::vector<float> mixed(std::size_t(given_.width));
        const auto add_row = [&](int y, float share) {
            load_codes(luma, format_, y, given_.width, codes.data());
            for (std::size_t x = 0; x < mixed.size(); ++x)
                mixed[x] += share * float(codes[x] - std::clamp(codes[x], black_, white_));
        };
        for (int y = begin; y < end; ++y) {
            const Place &down = down_[std::size_t(y)];
            if (!beyond[std::size_t(down.first)] && !beyond[std::size_t(down.second)]) continue;
            std::fill(mixed.begin(), mixed.end(), 0.0f);
            add_row(down.first, 1 - down.share);
            add_row(down.second, down.share);
            load_codes(written, format_, y, wanted_.width, codes.data());
            for (int x = 0; x < wanted_.width; ++x) {
                const Place &across = across_[std::size_t(x)];
                const float left = mixed[std::size_t(across.first)], right = mixed[std::size_t(across.second)];
                const float added = left + across.share * (right - left);
                codes[std::size_t(x)] =
                    std::clamp(codes[std::size_t(x)] + int(added < 0 ? added - 0.5f : added + 0.5f), 0, top);
            }
            store_codes(codes.data(), out, format_, y, wanted_.width);
        }
    });
}

}  // namespace edgesr

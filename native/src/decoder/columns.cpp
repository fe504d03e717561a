#include "decoder/columns.h"

#include <algorithm>
#include <cmath>

namespace esr {
namespace {

std::size_t vectors_for(int count, int lanes) { return std::size_t((count + lanes - 1) / lanes); }

// Finds where to load the values under `pick` from and makes the indices relative to it; a load may reach `reach`
// values, and the line holds `length`.
bool make_near(std::int32_t *pick, int lanes, int length, int reach, int *start) {
    *start = 0;
    if (length < reach) return false;
    const auto [low, high] = std::minmax_element(pick, pick + lanes);
    const int from = std::min<int>(*low, length - reach);
    if (*high - from >= lanes) return false;
    for (int i = 0; i < lanes; ++i) pick[i] -= from;
    *start = from;
    return true;
}

}  // namespace

Neighbours neighbours(int nearest, float offset) {
    const float away = 0.5f * std::fabs(offset);
    return offset < 0.0f ? Neighbours{nearest - 1, 1.0f - away} : Neighbours{nearest, away};
}

// The last vector is filled up with copies of the last column; their results are dropped.
Columns::Columns(const std::int32_t *cols, const float *offset_x, int count, int width, int lanes)
    : places_(vectors_for(count, lanes)), pick_(places_.size() * lanes), base_pick_(pick_.size()),
      base_share_(pick_.size()) {
    for (std::size_t i = 0; i < pick_.size(); ++i) {
        const std::size_t x = std::min(i, std::size_t(count) - 1);
        const Neighbours pair = neighbours(cols[x], offset_x[x]);
        pick_[i] = cols[x];
        base_pick_[i] = pair.first + 1;  // the image carries one more column on its left
        base_share_[i] = pair.share;
    }
    for (int v = 0; v < vectors(); ++v) place_vector(v, width, lanes);
}

void Columns::place_vector(int vector, int width, int lanes) {
    const std::size_t from = std::size_t(vector) * lanes;
    ColumnVector &place = places_[vector];
    const bool near = make_near(&pick_[from], lanes, width, lanes, &place.start);
    place.near = make_near(&base_pick_[from], lanes, width + 2, lanes + 1, &place.base_start) && near;
}

void Columns::describe(Request *request) const {
    request->columns = places_.data();
    request->pick = pick_.data();
    request->base_pick = base_pick_.data();
    request->base_share_x = base_share_.data();
}

}  // namespace esr

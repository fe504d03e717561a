#include "decoder/preparation.h"

#include <algorithm>
#include <cmath>


namespace esr {
namespace {

constexpr int kMaxSide = 1 << 20;
constexpr int kChunkVectors = 24;  // a work item's width: long enough to amortise, short enough to share out

bool side(std::int32_t length) { return length >= 1 && length <= kMaxSide; }

bool indices_within(const std::int32_t *index, int count, int length) {
    return std::all_of(index, index + count, [=](std::int32_t i) { return i >= 0 && i < length; });
}

bool offsets_valid(const float *offset, int count) {
    return std::all_of(offset, offset + count, [](float x) { return std::fabs(x) <= 1.001f; });
}

std::size_t round_up(std::size_t count, std::size_t step) { return (count + step - 1) / step * step; }

}  // namespace

bool valid(const esr_request &r, const PackedNetwork &network) {
    if (!side(r.height) || !side(r.width) || !side(r.out_height) || !side(r.out_width)) return false;
    if (!r.maps || !r.rows || !r.cols || !r.offset_y || !r.offset_x || !r.out) return false;
    if (r.channels != network.channels() || (network.view().base && !r.image)) return false;
    return indices_within(r.rows, r.out_height, r.height) && indices_within(r.cols, r.out_width, r.width) &&
           offsets_valid(r.offset_y, r.out_height) && offsets_valid(r.offset_x, r.out_width) &&
           std::isfinite(r.ratio) && r.threads >= 1;
}

Preparation::Preparation(const esr_request &request, const PackedNetwork &network, const Kernel &kernel, Spares &spares)
    : columns_(request.cols, request.offset_x, request.out_width, request.width, kernel.lanes) {
    tabulate_rows(request, network, kernel);
    tabulate_columns(request, network, kernel);
    if (network.view().base) {
        base_.emplace(request, spares);
        base_->describe(&view_);
    }
    divide(request);
    columns_.describe(&view_);
    view_.maps = request.maps;
    view_.plane = std::ptrdiff_t(request.height) * request.width;
    view_.width = request.width;
    view_.rows = request.rows;
    view_.out = request.out;
    view_.out_width = request.out_width;
    view_.float_pictures = request.float_pictures != 0;
}

void Preparation::tabulate_rows(const esr_request &request, const PackedNetwork &network, const Kernel &kernel) {
    const int width = network.view().first.width;
    Buffer<float> argument(round_up(std::size_t(request.out_height) * width, kernel.lanes));
    for (int y = 0; y < request.out_height; ++y)
        for (int c = 0; c < width; ++c)
            argument[std::size_t(y) * width + c] =
                float(double(network.row_weight()[c]) * request.offset_y[y] +
                      double(network.ratio_weight()[c]) * request.ratio + network.first_bias()[c]);
    Buffer<float> sine(argument.size()), cosine(argument.size());
    kernel.sines(argument.data(), sine.data(), cosine.data(), std::ptrdiff_t(argument.size()));
    row_table_ = Buffer<float>(2 * std::size_t(request.out_height) * width);
    for (int y = 0; y < request.out_height; ++y) {
        const std::size_t from = std::size_t(y) * width;
        std::copy_n(sine.data() + from, width, row_table_.data() + 2 * from);
        std::copy_n(cosine.data() + from, width, row_table_.data() + 2 * from + width);
    }
    view_.row_table = row_table_.data();
}

void Preparation::tabulate_columns(const esr_request &request, const PackedNetwork &network, const Kernel &kernel) {
    const FirstLayer &first = network.view().first;
    Buffer<float> offset(std::size_t(columns_.vectors()) * kernel.lanes);
    std::copy_n(request.offset_x, request.out_width, offset.data());
    column_table_ = Buffer<float>(2 * offset.size() * first.width);
    kernel.column_table(first, offset.data(), columns_.vectors(), column_table_.data());
    view_.column_table = column_table_.data();
}

// Each run of output rows over one LR row, cut into chunks of columns: what threads take one by one.
void Preparation::divide(const esr_request &request) {
    for (int begin = 0, end; begin < request.out_height; begin = end) {
        for (end = begin + 1; end < request.out_height && request.rows[end] == request.rows[begin];) ++end;
        for (int vector = 0; vector < columns_.vectors(); vector += kChunkVectors)
            items_.push_back({begin, end, vector, std::min(vector + kChunkVectors, columns_.vectors())});
    }
}

}  // namespace esr

#include "decoder/packing.h"

#include <algorithm>

namespace esr {
namespace {

constexpr int kMaxLayers = 64;
constexpr int kMaxWidth = 4096;
constexpr int kPositions = 3;  // offset_y, offset_x, ratio
constexpr float kInversePi = 0.318309886183790672f;  // sines take half turns

bool modulates(const esr_network &network, int layer) { return network.mode == 3 && layer > 0; }

bool valid_layer(const esr_network &network, int layer) {
    const int width = network.widths[layer];
    return width >= 1 && width <= kMaxWidth && network.synthesis_weight[layer] && network.synthesis_bias[layer] &&
           (!modulates(network, layer) || (network.modulation_weight && network.modulation_weight[layer]));
}

Word float_word(float value) {
    Word word;
    std::memcpy(&word, &value, sizeof word);
    return word;
}

// Nearest bfloat16, ties to even; weights are finite.
Word bf16_word(float value) {
    const Word word = float_word(value);
    return (word + 0x7fffu + ((word >> 16) & 1u)) >> 16;
}

int steps_for(int inputs, bool paired) { return paired ? (inputs + 1) / 2 : inputs; }

struct Row {
    const float *weights;
    int inputs;
    float factor;
};

// The word that meets word `step` of the activations.
Word weight_word(const Row &row, int step, bool paired) {
    const auto weight = [&](int i) { return i < row.inputs ? row.weights[i] * row.factor : 0.0f; };
    if (!paired) return float_word(weight(step));
    return bf16_word(weight(2 * step)) | bf16_word(weight(2 * step + 1)) << 16;
}

constexpr int kTile = 16;  // words of a tile's row, and its rows

// Where words of a group lie.
struct Order {
    int rows, steps;
    bool tiled;

    std::size_t place(int row, int step) const {
        if (!tiled) return std::size_t(step) * rows + row;
        return (std::size_t(step / kTile) * rows + row) * kTile + step % kTile;
    }
};

// Tiles are whole: what activations they hold beyond the inputs meets weights of zero.
int steps_of(int inputs, const Kernel &kernel) {
    const int steps = steps_for(inputs, kernel.paired);
    return kernel.tiled ? (steps + kTile - 1) / kTile * kTile : steps;
}

void scatter_row(Word *out, int place, const Order &order, const Row &row, bool paired) {
    for (int step = 0; step < order.steps; ++step) out[order.place(place, step)] = weight_word(row, step, paired);
}

}  // namespace

bool valid(const esr_network &network) {
    if (network.mode < 1 || network.mode > 3 || network.layers < 1 || network.layers > kMaxLayers) return false;
    if (!network.widths || !network.synthesis_weight || !network.synthesis_bias) return false;
    if (!network.last_weight || !network.last_bias) return false;
    for (int i = 0; i < network.layers; ++i)
        if (!valid_layer(network, i)) return false;
    return true;
}

PackedNetwork::PackedNetwork(const esr_network &network, const Kernel &kernel) {
    pack_first(network);
    for (int i = 1; i < network.layers; ++i) pack_layer(network, kernel, i);
    pack_last(network, kernel);
    const int widest = *std::max_element(network.widths, network.widths + network.layers);
    // A layer writes whole groups, so the last one may reach beyond the width; and whole tiles are read.
    const int rows = widest + std::max({kernel.modulated_rows, kernel.plain_rows, 2 * kTile});
    view_.scratch_half = rows * kMaxVectors * kernel.lanes;
    view_.layers = network.layers - 1;
    view_.layer = layers_.data();
    view_.base = network.bilinear_base != 0;
}

void PackedNetwork::pack_first(const esr_network &network) {
    const std::size_t width = std::size_t(network.widths[0]);
    first_ = Buffer<float>((kPositions + 1) * width);
    for (std::size_t c = 0; c < width; ++c) {
        for (int p = 0; p < kPositions; ++p) first_[p * width + c] = network.synthesis_weight[0][c * kPositions + p] * kInversePi;
        first_[kPositions * width + c] = network.synthesis_bias[0][c] * kInversePi;
    }
    view_.first = {int(width), first_.data() + width};
    channels_ = int(width);
}

void PackedNetwork::pack_layer(const esr_network &network, const Kernel &kernel, int layer) {
    const bool modulated = modulates(network, layer);
    const int width = network.widths[layer];
    const int inputs = network.widths[layer - 1];
    const int rows = modulated ? kernel.modulated_rows : kernel.plain_rows;
    const int groups = (width + rows - 1) / rows;
    const Order order{modulated ? 2 * rows : rows, steps_of(inputs, kernel), kernel.tiled};
    const int spread = kernel.tiled ? kTile : 1;  // copies of a bias
    Buffer<Word> words(std::size_t(groups) * order.steps * order.rows);
    Buffer<float> bias(std::size_t(groups) * (kernel.tiled ? order.rows : rows) * spread);
    for (int c = 0; c < width; ++c) {
        const int group = c / rows, row = c % rows;
        Word *out = words.data() + std::size_t(group) * order.steps * order.rows;
        const std::size_t from = std::size_t(c) * inputs;
        scatter_row(out, row, order, {network.synthesis_weight[layer] + from, inputs, kInversePi}, kernel.paired);
        if (modulated)
            scatter_row(out, rows + row, order, {network.modulation_weight[layer] + from, inputs, 1.0f}, kernel.paired);
        const std::size_t place = (std::size_t(group) * (kernel.tiled ? order.rows : rows) + row) * spread;
        std::fill_n(bias.data() + place, spread, network.synthesis_bias[layer][c] * kInversePi);
    }
    layers_.push_back({width, order.steps, groups, modulated, channels_, words.data(), bias.data()});
    weights_.push_back(std::move(words));
    biases_.push_back(std::move(bias));
    channels_ += width;
}

void PackedNetwork::pack_last(const esr_network &network, const Kernel &kernel) {
    constexpr int colours = 3;
    const int inputs = network.widths[network.layers - 1];
    view_.last_steps = steps_for(inputs, kernel.paired);
    Buffer<Word> words(std::size_t(view_.last_steps) * colours);
    for (int c = 0; c < colours; ++c) {
        const Row row{network.last_weight + std::size_t(c) * inputs, inputs, 1.0f};
        scatter_row(words.data(), c, {colours, view_.last_steps, false}, row, kernel.paired);
        view_.last_bias[c] = network.last_bias[c];
    }
    view_.last_weights = words.data();
    weights_.push_back(std::move(words));
}

}  // namespace esr

#include "packing.h"

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
Word half_word(float value) {
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
    return half_word(weight(2 * step)) | half_word(weight(2 * step + 1)) << 16;
}

// Puts one row of weights at every `pitch`-th word.
void scatter_row(Word *out, int pitch, const Row &row, bool paired) {
    for (int step = 0; step < steps_for(row.inputs, paired); ++step)
        out[std::size_t(step) * pitch] = weight_word(row, step, paired);
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
    // A layer writes whole groups, so the last one may reach beyond the width.
    const int rows = widest + std::max(kernel.modulated_rows, kernel.plain_rows);
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
    const int pitch = modulated ? 2 * rows : rows;
    const int groups = (width + rows - 1) / rows;
    const int steps = steps_for(inputs, kernel.paired);
    Buffer<Word> words(std::size_t(groups) * steps * pitch);
    Buffer<float> bias(std::size_t(groups) * rows);
    for (int c = 0; c < width; ++c) {
        Word *out = words.data() + std::size_t(c / rows) * steps * pitch + c % rows;
        const std::size_t from = std::size_t(c) * inputs;
        scatter_row(out, pitch, {network.synthesis_weight[layer] + from, inputs, kInversePi}, kernel.paired);
        if (modulated)
            scatter_row(out + rows, pitch, {network.modulation_weight[layer] + from, inputs, 1.0f}, kernel.paired);
        bias[c] = network.synthesis_bias[layer][c] * kInversePi;
    }
    layers_.push_back({width, steps, groups, modulated, channels_, words.data(), bias.data()});
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
        scatter_row(words.data() + c, colours, row, kernel.paired);
        view_.last_bias[c] = network.last_bias[c];
    }
    view_.last_weights = words.data();
    weights_.push_back(std::move(words));
}

}  // namespace esr

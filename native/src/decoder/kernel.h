// What a kernel is given and what it promises. Only plain data: kernel sources are compiled for processors that
// the rest of the library must not assume, so they share no inline code with it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/bf16.h"

namespace esr {

// Storage unit of weights and activations: one float32, or two bfloat16 of neighbouring channels.
using Word = std::uint32_t;

constexpr int kMaxVectors = 3;  // vectors of pixels that a block carries through all layers

struct FirstLayer {
    int width;
    const float *column_weight;  // what offset_x is multiplied by
};

// Output rows that a kernel of tiles takes through a layer together; scratch is for so many.
constexpr int kRowsTogether = 2;

struct Layer {
    int width;
    int steps;  // words of input a pixel: channels, or pairs of them
    int groups;
    bool modulated;  // mode 3: the content term gets a share of q before its ReLU
    int first_map;
    const Word *weights;  // [group][step][row of the group], or tiled [group][step / 16][row][step % 16]
    const float *bias;    // [group][row], zero beyond the width, or tiled [group][row][pixel of 16]
};

struct Network {
    FirstLayer first;
    int layers;  // those after the first
    const Layer *layer;
    int scratch_half;  // words of one of a row's two activation buffers
    int last_steps;
    const Word *last_weights;  // [step][3]
    float last_bias[3];
    bool base;
};

// Where the LR values under one vector of output pixels lie: loaded whole from start and permuted, or, when they
// span more than a vector, gathered one by one.
struct ColumnVector {
    int start;
    int base_start;
    bool near;
};

struct Request {
    const void *maps;  // float, or Bf16 for a kernel that says so
    std::ptrdiff_t plane;
    int width;
    const std::int32_t *rows;
    const ColumnVector *columns;
    const std::int32_t *pick;       // [vector][lane], relative to start when near
    const std::int32_t *base_pick;  // same for the base's left neighbour
    const float *base_share_x;      // weight of the right neighbour
    const float *row_table;         // [row][sine, cosine][channel]
    const float *column_table;      // [vector][channel][sine, cosine][lane]
    const float *base;              // normalised image, planar, one column repeated at either side
    std::ptrdiff_t base_plane;
    std::ptrdiff_t base_stride;
    const std::int32_t *base_top;
    const std::int32_t *base_bottom;
    const float *base_share_y;  // weight of the lower neighbour
    void *out;
    int out_width;
    bool float_pictures;
};

// A run of output rows over one LR row, and a range of column vectors.
struct WorkItem {
    int row_begin, row_end;
    int vector_begin, vector_end;
};

struct Kernel {
    const char *name;
    int lanes;
    int modulated_rows;  // channels of a group; each has a synthesis and a modulation row
    int plain_rows;
    bool paired;  // words hold two bfloat16
    bool tiled;   // weights and biases come as tiles, see packing.cpp
    const Kernel *bf16_maps;  // the same kernel for maps in bfloat16, when there is one
    bool (*supported)();
    void (*begin)();  // before a thread's first item, null: nothing to do
    void (*end)();    // after its last
    void (*sines)(const float *x, float *sine, float *cosine, std::ptrdiff_t n);  // n a multiple of lanes
    void (*column_table)(const FirstLayer &first, const float *offset_x, int vectors, float *table);
    void (*run)(const Network &network, const Request &request, const WorkItem &item, Word *scratch);
};

}  // namespace esr

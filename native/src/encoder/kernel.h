// What an encoder's kernel is given and what it promises. Only plain data: kernel sources are compiled for processors
// that the rest of the library must not assume, so they share no inline code with it.
//
// Activations lie row by row, a pixel's channels beside each other, with one pixel of padding on the left and a few on
// the right: the three taps of an input row are then one run of values, and a 3 x 3 convolution is three products
// whose left sides overlap, one for each input row. Every pixel is summed in the same order wherever it stands.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/peak.h"

namespace esr {

// How a row of activations is stored.
enum class Format : int {
    Float,     // float32
    Winograd,  // float32, transformed: [point of 6][tile of 4 pixels][channel]
    Bf16,
    Int8,  // levels with a zero point: uint8, or int8 where a kernel's products want both sides signed
    Int16,  // levels around zero, of what an INT8 network leaves in floating point
    Bf16Planes, Int8Planes,  // [word of a pixel's 64 bytes][pixel]: what the content layers of some kernels read
    Nothing,  // the residual stream is all that is written
};

// What becomes of a convolution's sums.
enum class Finish : int {
    Clip,  // at least `floor`: a ReLU, or nothing
    Keep,  // written to the residual stream too
    Add,   // added to the residual stream
};

constexpr int kTaps = 3;                // along a side
constexpr int kGroup = 32;              // output channels that are summed together
constexpr int kImageChannels = 4;       // red, green, blue, nothing
constexpr int kSpare = 4;               // pixels beyond the width that hold padding
constexpr int kMaxStrip = 4;            // rows that one layer makes before the next goes on
constexpr int kWinogradTile = 4;        // pixels
constexpr int kWinogradPoints = 6;

struct Convolution {
    Format input;
    Format output;
    Finish finish;
    bool maps;         // the result goes to the maps, not to another convolution
    int in_channels;   // values a pixel: kImageChannels, 16, 32 or 64
    int out_channels;  // a multiple of 16
    int map_channels;  // without padding
    const void *weights;
    const float *bias;          // of float sums
    const std::int32_t *start;  // Int8: what sums start from, bias and zero point
    const float *scale;         // Int8: of sums, by output channel
    float floor;
    float to_levels, zero;  // Int8 output: levels for each unit, and the level of 0
};

// Where maps go: planes of rows.
struct MapsTarget {
    void *first;                // the convolution's first channel
    std::ptrdiff_t plane, row;  // values from one to the next
    bool bf16;
};

// Neighbouring rows that one convolution makes from `rows` + 2 rows of its input.
struct Strip {
    int rows, width, y;
    int tiles;  // Winograd: of a row
    int plane;  // Bf16Planes and Int8Planes: words from one to the next
    const void *in[kMaxStrip + 2];
    const float *addend[kMaxStrip];  // Add; one pixel of padding on the left, as all rows
    float *sum[kMaxStrip];           // Keep and Add
    void *out[kMaxStrip];
    MapsTarget maps;
    float *scratch;
};

// The order of weights: [group][outer][chunk][block of channels][word][channel of the block][value of the word]. `outer`
// counts input rows, or with Winograd points.
struct WeightOrder {
    int word;   // values that meet in one multiplication
    int chunk;  // values of a product, 0: all of an outer step
    int block;  // channels beside each other, 0: all of the group
};

struct EncoderKernel {
    const char *name;
    Format format;          // what convolutions in floating point read, the first one apart
    Format head_format;     // what the first one reads
    WeightOrder order;      // of those
    bool int8;
    bool signed_levels;     // levels - 128, as int8
    WeightOrder int8_order;
    bool int16;             // multiplies 16 bits faster than floating point
    bool bf16_maps;         // writes maps in bfloat16 when asked
    bool planes;            // content layers read planes
    int cache;              // bytes that rows in work may take of the second-level cache
    int winograd_tiles;     // rows of tiles are rounded up to this many, twice as many for a group of 16 channels
    bool (*supported)();
    void (*begin)();  // before a thread's first strip, null: nothing to do
    void (*end)();    // after its last
    void (*convolve)(const Convolution &, const Strip &);
    // Rows of the residual stream, in `sum`, into another format.
    void (*convert)(const Convolution &, const Strip &);
    PeakLoop peak, int8_peak;
};

}  // namespace esr

// The kernels of an encoder with ESR_CHANNELS channels, 16 or 32, in every variant that a GPU may choose from.
#include "head.h"
#include "layer.h"
#include "residual.h"

#define ESR_JOIN2(a, b, c) a##b##c
#define ESR_JOIN(a, b, c) ESR_JOIN2(a, b, c)
#define ESR_NAME(what, variant) ESR_JOIN(what, ESR_CHANNELS, variant)

// Blocks that an SM should hold, for its registers: what is left is spilled.
#define ESR_LAYER(variant, tiles, stages, end, how)                                                       \
    KERNEL(128, 2, ESR_NAME(layer, variant), Layer, p) {                                                  \
        layer::run<ESR_CHANNELS, tiles, 4, stages, layer::End::end, products::How::how>(p);                           \
    }
#define ESR_PAIR(variant, warps, how)                                                                     \
    KERNEL(32 * warps, 1, ESR_NAME(pair, variant), Residual, p) {                                         \
        residual::Pair<ESR_CHANNELS, warps, products::How::how>::run(p);                                      \
    }

KERNEL(128, 2, ESR_NAME(head, _bytes), Head, p) { head::run<u8, ESR_CHANNELS>(p); }
KERNEL(128, 2, ESR_NAME(head, _floats), Head, p) { head::run<float, ESR_CHANNELS>(p); }

ESR_LAYER(_relu, ESR_CHANNELS / 8, 1, relu, wide)
ESR_LAYER(_relu_ahead, ESR_CHANNELS / 8, 2, relu, wide)
ESR_LAYER(_residual, ESR_CHANNELS / 8, 1, residual, wide)
ESR_LAYER(_residual_ahead, ESR_CHANNELS / 8, 2, residual, wide)
ESR_LAYER(_maps, 4, 1, maps, wide)
ESR_LAYER(_maps_rest, 2, 1, maps, wide)
ESR_PAIR(_6, 6, wide)
ESR_PAIR(_8, 8, wide)
ESR_PAIR(_12, 12, sparing)

ESR_LAYER(_relu_narrow, ESR_CHANNELS / 8, 1, relu, narrow)
ESR_LAYER(_residual_narrow, ESR_CHANNELS / 8, 1, residual, narrow)
ESR_LAYER(_maps_narrow, 4, 1, maps, narrow)
ESR_LAYER(_maps_rest_narrow, 2, 1, maps, narrow)
ESR_PAIR(_6_narrow, 6, narrow)

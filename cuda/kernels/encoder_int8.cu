// The kernels that an encoder with ESR_CHANNELS channels, 16 or 32, has besides those of encoder.cu where some of its
// layers are int8: those layers, and the float16 ones that hand levels on.
#include "residual_int8.h"

#define ESR_JOIN2(a, b, c) a##b##c
#define ESR_JOIN(a, b, c) ESR_JOIN2(a, b, c)
#define ESR_NAME(what, variant) ESR_JOIN(what, ESR_CHANNELS, variant)

#define ESR_LAYER(variant, tiles, source, end)                                                          \
    KERNEL(128, 3, ESR_NAME(int8_layer, variant), Layer, p) {                                           \
        layer::run_levels<ESR_CHANNELS, tiles, 4, layer::Source::source, layer::End::end>(p);           \
    }
#define ESR_TO_LEVELS(variant, end)                                                                     \
    KERNEL(128, 2, ESR_NAME(layer, variant), Layer, p) {                                                \
        layer::run<ESR_CHANNELS, ESR_CHANNELS / 8, 4, 1, layer::End::end, products::How::wide>(p);      \
    }
#define ESR_PAIR(variant, warps, blocks)                                                                \
    KERNEL(32 * warps, blocks, ESR_NAME(int8_pair, variant), LevelResidual, p) {                        \
        residual::LevelPair<ESR_CHANNELS, warps>::run(p);                                               \
    }

ESR_TO_LEVELS(_relu_levels, relu_levels)
ESR_TO_LEVELS(_residual_levels, residual_levels)

ESR_LAYER(_relu, ESR_CHANNELS / 8, halves, relu)
ESR_LAYER(_relu_levels, ESR_CHANNELS / 8, halves, relu_levels)
ESR_LAYER(_residual, ESR_CHANNELS / 8, levels, residual)
ESR_LAYER(_tail, ESR_CHANNELS / 8, halves, residual)
ESR_LAYER(_tail_levels, ESR_CHANNELS / 8, halves, residual_levels)
ESR_LAYER(_maps, 4, levels, maps)
ESR_LAYER(_maps_rest, 2, levels, maps)

ESR_PAIR(_6, 6, 2)
ESR_PAIR(_8, 8, (ESR_CHANNELS == 16 ? 2 : 1))
ESR_PAIR(_12, 12, 1)

/* The C interface of Edge SR's networks on CPUs: encoder and decoder. Everything crosses it as plain pointers and integers, so one
 * library serves every Python version. No exception leaves it and no thread outlives a call. */
#ifndef ESR_NATIVE_H
#define ESR_NATIVE_H

#include <stdint.h>

#if defined(_WIN32)
#define ESR_API __declspec(dllexport)
#else
#define ESR_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define ESR_ABI_VERSION 5

enum esr_status {
    ESR_OK = 0,
    ESR_BAD_NETWORK = 1,
    ESR_BAD_REQUEST = 2,
    ESR_UNKNOWN_KERNEL = 3,
    ESR_OUT_OF_MEMORY = 4
};

/* The part of a network that runs per output pixel; arrays are copied, nothing is kept.
 * synthesis_weight[i] is widths[i] x inputs (3 for layer 0), modulation_weight[i] the half of A_i that acts on
 * q, widths[i] x widths[i-1], read only in mode 3 for i >= 1. All row-major float32. */
typedef struct {
    int32_t mode;
    int32_t layers;
    const int32_t *widths;
    const float *const *synthesis_weight;
    const float *const *synthesis_bias;
    const float *const *modulation_weight;
    const float *last_weight;
    const float *last_bias;
    int32_t bilinear_base;
} esr_network;

/* One rectangle of a virtual output. maps: channels x height x width, float32, or with bf16_maps bfloat16, which only
 * kernels with bfloat16 products take; image: height x width x 3, needed with a
 * bilinear base only; out: out_height x out_width x 3. Pictures are uint8, or float32 in [0, 1] when
 * float_pictures is set. rows and cols index maps; offsets are in half LR pixels, within [-1, 1]. */
typedef struct {
    const void *maps;
    int32_t channels, height, width;
    const void *image;
    const int32_t *rows;
    const int32_t *cols;
    const float *offset_y;
    const float *offset_x;
    float ratio;
    int32_t out_height, out_width;
    void *out;
    int32_t float_pictures;
    int32_t threads;
    int32_t bf16_maps;
} esr_request;

typedef struct esr_decoder esr_decoder;

ESR_API int32_t esr_abi_version(void);
/* Names of the kernels that this processor runs, fastest exact one first, separated by spaces. */
ESR_API const char *esr_kernels(void);
ESR_API int32_t esr_decoder_create(const esr_network *network, const char *kernel, esr_decoder **decoder);
ESR_API const char *esr_decoder_kernel(const esr_decoder *decoder);
ESR_API void esr_decoder_destroy(esr_decoder *decoder);
ESR_API int32_t esr_decode(const esr_decoder *decoder, const esr_request *request);

/* One 3 x 3 convolution, zero padding of one pixel. In float32: weight, outputs x inputs x 3 x 3, and bias. In INT8, where
 * levels is set: levels of the same shape, their scale by output, biases in int32 of scale input_scale * level_scale,
 * and the scale and zero point of its uint8 input. input_range, in float32: how far from zero most of its input lies, 0 where
 * nobody knows; input and weights may then be rounded to 16 bits, by kernels that multiply in INT8 and are faster so. */
typedef struct {
    int32_t inputs, outputs;
    const float *weight;
    const float *bias;
    const int8_t *levels;
    const float *level_scale;
    const int32_t *bias_levels;
    float input_scale;
    int32_t input_zero;
    int32_t relu; /* content convolutions only */
    float input_range;
} esr_convolution;

/* A small residual encoder: head; `blocks` times y += conv2(relu(conv1(y))); f = head + tail(y); `contents` convolutions of
 * f, whose outputs one after another are the maps. convolutions holds them in this order. The image enters in [-1, 1]. */
typedef struct {
    int32_t channels; /* 1 to 64 */
    int32_t blocks, contents;
    const esr_convolution *convolutions;
} esr_encoder_network;

/* image: height x width x 3, uint8, or float32 in [0, 1] when float_pictures is set; maps: planes of height x width,
 * float32 or with bf16_maps bfloat16, which only some kernels write. depth: layers that follow each other through the
 * frame, 0 for the default; results do not depend on it, nor on threads. */
typedef struct {
    const void *image;
    int32_t height, width;
    void *maps;
    int32_t float_pictures;
    int32_t bf16_maps;
    int32_t threads;
    int32_t depth;
} esr_encode_request;

typedef struct esr_encoder esr_encoder;

/* As esr_kernels, for encoders. */
ESR_API const char *esr_encoder_kernels(void);
ESR_API int32_t esr_encoder_create(const esr_encoder_network *network, const char *kernel, esr_encoder **encoder);
ESR_API const char *esr_encoder_kernel(const esr_encoder *encoder);
ESR_API void esr_encoder_destroy(esr_encoder *encoder);
/* Several threads may encode at once. */
ESR_API int32_t esr_encode(esr_encoder *encoder, const esr_encode_request *request);
/* Operations in a second, in 10^9, of the encoder kernel's own multiply-adds (counted as two) on registers alone: the INT8
 * ones, or those of its other convolutions. 0 where the kernel or its products do not exist here. */
ESR_API double esr_peak(const char *kernel, int32_t int8, int32_t threads, double seconds);
/* Whether AVX512-BF16's dot products multiply faster here than float32 does: a fact of the processor's make, not a measurement, so
 * that every process of a machine answers alike. */
ESR_API int32_t esr_fast_bf16_dots(void);
/* The kernel's sin(pi x) and cos(pi x) of n arguments, for tests of their accuracy. */
ESR_API int32_t esr_sines(const char *kernel, const float *x, float *sine, float *cosine, int32_t n);

/* A DIINN in training: a residual encoder of 16 or 32 channels, a decoder of mode 3 with a bilinear base, its layers at most 32
 * wide. Batches have `batch` patches of patch x patch LR pixels with `samples` HR samples in each. */
typedef struct {
    int32_t channels, blocks, layers;
    const int32_t *widths;
    int32_t batch, patch, samples, threads;
} esr_training_form;

/* low: batch x patch x patch x 3; offsets: batch x patch x patch x samples x 2, y and x in half LR pixels; target: the same less
 * the last axis x 3; weights: batch x patch x patch. absolute: L1, else the logarithm of each patch's squared error plus floor. */
typedef struct {
    const uint8_t *low;
    const float *offsets;
    const uint8_t *target;
    const float *weights;
    float ratio;
    float luma_share;
    float floor;
    int32_t absolute;
} esr_training_batch;

typedef struct esr_trainer esr_trainer;

/* ESR_UNKNOWN_KERNEL where the processor has no products of bfloat16. */
ESR_API int32_t esr_trainer_create(const esr_training_form *form, esr_trainer **trainer);
ESR_API void esr_trainer_destroy(esr_trainer *trainer);
/* The loss of a batch, and its gradients. values and gradients: for each 3 x 3 convolution of the encoder (head, two a block,
 * tail), modulation layer, synthesis layer and the last layer its weight and then its bias, float32 in PyTorch's order. */
ESR_API int32_t esr_train(esr_trainer *trainer, const esr_training_batch *batch, const float *const *values,
                          float *const *gradients, double *loss);

#ifdef __cplusplus
}
#endif
#endif

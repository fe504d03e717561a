/* The C interface of Edge SR's CPU decoder. Everything crosses it as plain pointers and integers, so one
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

#define ESR_ABI_VERSION 2

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

/* One rectangle of a virtual output. maps: channels x height x width, float32, or with half_maps bfloat16, which only
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
    int32_t half_maps;
} esr_request;

typedef struct esr_decoder esr_decoder;

ESR_API int32_t esr_abi_version(void);
/* Names of the kernels that this processor runs, fastest exact one first, separated by spaces. */
ESR_API const char *esr_kernels(void);
ESR_API int32_t esr_decoder_create(const esr_network *network, const char *kernel, esr_decoder **decoder);
ESR_API const char *esr_decoder_kernel(const esr_decoder *decoder);
ESR_API void esr_decoder_destroy(esr_decoder *decoder);
ESR_API int32_t esr_decode(const esr_decoder *decoder, const esr_request *request);
/* The kernel's sin(pi x) and cos(pi x) of n arguments, for tests of their accuracy. */
ESR_API int32_t esr_sines(const char *kernel, const float *x, float *sine, float *cosine, int32_t n);

#ifdef __cplusplus
}
#endif
#endif

#include "common/guarded.h"
#include "common/processor.h"
#include "encoder/encoder.h"
#include "encoder/kernels.h"

struct esr_encoder {
    esr::Encoder encoder;
};

const char *esr_encoder_kernels(void) { return esr::encoder_kernel_names().c_str(); }

int32_t esr_encoder_create(const esr_encoder_network *network, const char *kernel, esr_encoder **encoder) {
    const esr::EncoderKernel *chosen = kernel ? esr::find_encoder_kernel(kernel) : nullptr;
    if (!chosen) return ESR_UNKNOWN_KERNEL;
    if (!encoder || !network || !esr::valid(*network, *chosen)) return ESR_BAD_NETWORK;
    return esr::guarded([&] {
        *encoder = new esr_encoder{{*network, *chosen}};
        return int(ESR_OK);
    });
}

const char *esr_encoder_kernel(const esr_encoder *encoder) { return encoder ? encoder->encoder.kernel().name : ""; }

void esr_encoder_destroy(esr_encoder *encoder) { delete encoder; }

int32_t esr_encode(esr_encoder *encoder, const esr_encode_request *request) {
    if (!encoder || !request || !encoder->encoder.valid(*request)) return ESR_BAD_REQUEST;
    return esr::guarded([&] {
        encoder->encoder.encode(*request);
        return int(ESR_OK);
    });
}

int32_t esr_fast_bf16_dots(void) { return esr::has_fast_avx512_bf16(); }

double esr_peak(const char *kernel, int32_t int8, int32_t threads, double seconds) {
    const esr::EncoderKernel *chosen = kernel ? esr::find_encoder_kernel(kernel) : nullptr;
    if (!chosen || threads < 1 || !(seconds > 0)) return 0;
    return esr::measure_peak(int8 ? chosen->int8_peak : chosen->peak, chosen->begin, chosen->end, threads, seconds);
}

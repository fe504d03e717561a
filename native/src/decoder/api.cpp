#include "common/guarded.h"
#include "common/spares.h"
#include "decoder/kernels.h"
#include "decoder/packing.h"
#include "decoder/preparation.h"
#include "decoder/workers.h"

struct esr_decoder {
    const esr::Kernel *kernel;
    esr::PackedNetwork network;
    mutable esr::Spares spares{};
};

namespace {

int decode(const esr_decoder &decoder, const esr_request &request) {
    const esr::Kernel *kernel = request.bf16_maps ? decoder.kernel->bf16_maps : decoder.kernel;
    if (!kernel || !esr::valid(request, decoder.network)) return ESR_BAD_REQUEST;
    const esr::Preparation call(request, decoder.network, *kernel, decoder.spares);
    esr::decode_all(decoder.network, call, *kernel, request.threads);
    return ESR_OK;
}

}  // namespace

int32_t esr_abi_version(void) { return ESR_ABI_VERSION; }

const char *esr_kernels(void) { return esr::kernel_names().c_str(); }

int32_t esr_decoder_create(const esr_network *network, const char *kernel, esr_decoder **decoder) {
    if (!decoder || !network || !esr::valid(*network)) return ESR_BAD_NETWORK;
    const esr::Kernel *chosen = kernel ? esr::find_kernel(kernel) : nullptr;
    if (!chosen) return ESR_UNKNOWN_KERNEL;
    return esr::guarded([&] {
        *decoder = new esr_decoder{chosen, esr::PackedNetwork(*network, *chosen)};
        return int(ESR_OK);
    });
}

const char *esr_decoder_kernel(const esr_decoder *decoder) { return decoder ? decoder->kernel->name : ""; }

void esr_decoder_destroy(esr_decoder *decoder) { delete decoder; }

int32_t esr_decode(const esr_decoder *decoder, const esr_request *request) {
    if (!decoder || !request) return ESR_BAD_REQUEST;
    return esr::guarded([&] { return decode(*decoder, *request); });
}

int32_t esr_sines(const char *kernel, const float *x, float *sine, float *cosine, int32_t n) {
    const esr::Kernel *chosen = kernel ? esr::find_kernel(kernel) : nullptr;
    if (!chosen) return ESR_UNKNOWN_KERNEL;
    if (!x || !sine || !cosine || n < 0 || n % chosen->lanes) return ESR_BAD_REQUEST;
    chosen->sines(x, sine, cosine, n);
    return ESR_OK;
}

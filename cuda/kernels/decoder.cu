// The kernels of one decoder: ESR_DECODER is its name, ESR_WIDTHS, ESR_MODE and ESR_BASE its form.
#include "chain.h"
#include "decoder.h"

#define ESR_JOIN2(a, b) a##b
#define ESR_JOIN(a, b) ESR_JOIN2(a, b)

KERNEL(128, decoder::kBlocks, ESR_JOIN(ESR_DECODER, _bytes), Decode, p) { decoder::run<u8>(p); }
KERNEL(128, decoder::kBlocks, ESR_JOIN(ESR_DECODER, _floats), Decode, p) { decoder::run<float>(p); }
#if ESR_MODE < 3
KERNEL(128, 2, ESR_JOIN(ESR_DECODER, _chain), Chain, p) { chain::run(p); }
#endif

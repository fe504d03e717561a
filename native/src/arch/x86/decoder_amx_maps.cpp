#include "arch/x86/vector_avx512.h"

#include "arch/x86/pair_words.h"

namespace {
using Stored = esr::Bf16;
// Sixteen rows of weights make a tile.
constexpr int kModulatedRows = 8;
constexpr int kPlainRows = 16;
}  // namespace

#include "arch/x86/tile_groups.h"
#include "common/processor.h"
#include "decoder/kernel_body.h"

namespace esr {
extern const Kernel kAmxMaps;
const Kernel kAmxMaps = make_kernel("amx", has_amx, nullptr, begin_tiles, end_tiles);
}  // namespace esr

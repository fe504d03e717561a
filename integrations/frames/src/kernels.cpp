#include "kernels.h"

#include <sstream>

#include "error.h"
#include "esr_native.h"

namespace edgesr {
namespace {

constexpr char kTiles[] = "amx", kBf16Dot[] = "avx512-bf16", kExact[] = "auto";
/* Winograd's transform halves float32's products and its sums then cost again: bfloat16 has to beat that. */
constexpr double kWorth = 1.4, kPeakSeconds = 0.02;

bool has(const std::string &names, const std::string &name) {
    return (" " + names + " ").find(" " + name + " ") != std::string::npos;
}

std::string first(const std::string &names) { return names.substr(0, names.find(' ')); }

std::string find_bf16_kernel() {
    const std::string names = esr_encoder_kernels();
    if (has(names, kTiles)) return kTiles;
    if (!has(names, kBf16Dot)) return "";
    const double exact = esr_peak(first(names).c_str(), 0, 1, kPeakSeconds);
    return esr_peak(kBf16Dot, 0, 1, kPeakSeconds) > kWorth * exact ? kBf16Dot : "";
}

const std::string &bf16_kernel() {
    static const std::string found = find_bf16_kernel();
    return found;
}

std::string int8_kernel() {
    if (!bf16_kernel().empty()) return bf16_kernel();
    for (const char *name : {"avx512-vnni", "avx2-vnni", "neon-dot"})
        if (has(esr_encoder_kernels(), name)) return name;
    return "";
}

}  // namespace

Kernels kernels_for(const std::string &precision) {
    if (precision != "fp32" && precision != "bf16" && precision != "int8")
        throw Error("precision must be auto, fp32, bf16 or int8 here, found '" + precision + "'");
    const bool lowered = precision != "fp32" && !bf16_kernel().empty();
    Kernels chosen{lowered ? bf16_kernel() : kExact, lowered ? bf16_kernel() : kExact, lowered};
    if (precision == "int8") chosen.encoder = int8_kernel();
    if (chosen.encoder.empty()) throw Error("this processor has no INT8 products: use precision bf16 or fp32");
    return chosen;
}

std::string default_precision() { return bf16_kernel().empty() ? "fp32" : "bf16"; }

}  // namespace edgesr

// What this processor, under this operating system, can run.
#pragma once

namespace esr {

bool has_anything();
bool has_avx2();
bool has_avx512();
bool has_avx512_bf16();

}  // namespace esr

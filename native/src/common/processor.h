// What this processor, under this operating system, can run.
#pragma once

namespace esr {

bool has_anything();
bool has_avx2();
bool has_avx2_vnni();
bool has_avx512();
bool has_avx512_vnni();
bool has_avx512_bf16();
// vdpbf16ps issues every cycle, not every other one as on Intel's.
bool has_fast_avx512_bf16();
// Tiles need the operating system's leave, which is asked for once a process.
bool has_amx();
bool has_neon_dot();

}  // namespace esr

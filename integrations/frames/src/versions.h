#pragma once

/* A loop that is compiled for AVX2 too; which runs is decided when the library is loaded. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define EDGESR_VERSIONS __attribute__((target_clones("avx2", "default")))
#else
#define EDGESR_VERSIONS
#endif

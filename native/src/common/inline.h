// How kernels ask for code in place, or apart.
#pragma once

#if defined(_MSC_VER)
#define ESR_INLINE inline
#define ESR_NOINLINE
#define ESR_PREFETCH(p) ((void)(p))
#else
#define ESR_INLINE inline __attribute__((always_inline))
#define ESR_NOINLINE __attribute__((noinline))
#define ESR_PREFETCH(p) __builtin_prefetch(p)
#endif

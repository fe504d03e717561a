/* A CUDA driver in host memory, for one purpose: that pycuda and cuda-bindings can be called without a GPU.
 *
 * Device memory is host memory, every copy happens at once, and all other functions that pycuda asks for answer
 * "not supported" (they are added by the script that compiles this). Order is checked elsewhere, by cuda_fake. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int R;
typedef uint64_t P;
#define API __attribute__((visibility("default"))) R
#define OK 0
#define INVALID 1
#define OUT_OF_MEMORY 2

static int64_t used, limit = 1 << 26;
static int depth, retained;

API cuInit(unsigned f) { return f; }
API cuDriverGetVersion(int *v) { *v = 13000; return OK; }
API cuDeviceGetCount(int *n) { *n = 1; return OK; }
API cuDeviceGet(int *d, int i) { *d = i; return i ? 101 : OK; }
API cuDeviceGetName(char *s, int n, int d) { snprintf(s, n, "driver in host memory %d", d); return OK; }
API cuDeviceTotalMem_v2(size_t *n, int d) { *n = limit; return d; }
API cuDeviceGetAttribute(int *v, int a, int d)
{
    *v = a == 75 ? 8 : a == 76 ? 9 : 0;
    return d;
}
API cuDeviceComputeCapability(int *major, int *minor, int d) { *major = 8; *minor = 9; return d; }
/* NVRTC asks, and takes no for an answer where there is one. */
API cuGetExportTable(const void **table, const void *id) { (void)id; *table = 0; return 801; }
API cuGetErrorString(R e, const char **s) { *s = e == OUT_OF_MEMORY ? "out of memory" : "error"; return OK; }
API cuGetErrorName(R e, const char **s) { return cuGetErrorString(e, s); }

API cuDevicePrimaryCtxRetain(void **c, int d) { ++retained; *c = &retained; return d; }
API cuDevicePrimaryCtxRelease_v2(int d) { --retained; return d; }
API cuDevicePrimaryCtxSetFlags_v2(int d, unsigned f) { (void)f; return d; }
API cuCtxPushCurrent_v2(void *c) { ++depth; return c != &retained; }
API cuCtxPopCurrent_v2(void **c) { if (c) *c = &retained; return --depth < 0; }
API cuCtxGetCurrent(void **c) { *c = depth > 0 ? &retained : 0; return OK; }
API cuCtxGetDevice(int *d) { *d = 0; return depth > 0 ? OK : 201; }
API cuCtxSynchronize(void) { return OK; }
API cuCtxGetApiVersion(void *c, unsigned *v) { (void)c; *v = 13000; return OK; }

API cuMemGetInfo_v2(size_t *f, size_t *t) { *f = limit - used; *t = limit; return depth > 0 ? OK : 201; }
API cuMemAlloc_v2(P *p, size_t n)
{
    if (depth <= 0) return 201;
    if (used + (int64_t)n > limit) return OUT_OF_MEMORY;
    char *m = aligned_alloc(256, (n + 511) / 256 * 256 + 256);
    memcpy(m, &n, sizeof n);
    used += n;
    *p = (P)(m + 256);
    return OK;
}
API cuMemFree_v2(P p)
{
    size_t n;
    memcpy(&n, (char *)p - 256, sizeof n);
    used -= n;
    free((char *)p - 256);
    return OK;
}
API cuMemHostAlloc(void **p, size_t n, unsigned f) { (void)f; *p = aligned_alloc(4096, (n + 4095) / 4096 * 4096); return OK; }
API cuMemFreeHost(void *p) { free(p); return OK; }
API cuMemHostGetDevicePointer_v2(P *d, void *p, unsigned f) { *d = (P)p; return f; }

/* CU_STREAM_NON_BLOCKING alone: with a stream that waits for the legacy default one, others' work would break a capture. */
API cuStreamCreate(void **s, unsigned f) { *s = malloc(1); return f != 1 ? 1 : depth > 0 ? OK : 201; }
API cuStreamDestroy_v2(void *s) { free(s); return OK; }
API cuStreamSynchronize(void *s) { return s == 0; }
API cuStreamWaitEvent(void *s, void *e, unsigned f) { return !s || !e || f; }
API cuEventCreate(void **e, unsigned f) { (void)f; *e = calloc(1, 8); return depth > 0 ? OK : 201; }
API cuEventDestroy_v2(void *e) { free(e); return OK; }
API cuEventRecord(void *e, void *s) { *(int *)e = 1; return s == 0; }
API cuEventSynchronize(void *e) { return !*(int *)e; }
API cuEventElapsedTime_v2(float *t, void *a, void *b) { *t = 1; return !*(int *)a || !*(int *)b; }

API cuMemcpyHtoDAsync_v2(P d, const void *h, size_t n, void *s) { memcpy((void *)d, h, n); return s == 0; }
typedef struct {
    size_t sx, sy; int st; const void *sh; P sd; void *sa; size_t sp;
    size_t dx, dy; int dt; void *dh; P dd; void *da; size_t dp;
    size_t w, h;
} Copy2D;
API cuMemcpy2DAsync_v2(const Copy2D *c, void *s)
{
    if (c->st != 2 || c->dt != 1 || !s) return INVALID;
    for (size_t y = 0; y < c->h; ++y)
        memcpy((char *)c->dh + (c->dy + y) * c->dp + c->dx, (char *)c->sd + (c->sy + y) * c->sp + c->sx, c->w);
    return OK;
}

/* The two kernels of tests/gpu/standin.cu, in plain C; a captured launch is kept and made again. */
typedef struct { int decode; P a[7]; } Launch;
typedef struct { int count; Launch launches[64]; } Graph;
static Graph *capturing;
__attribute__((visibility("default"))) int graphs;

static void encode(const uint8_t *image, float *maps, int height, int width)
{
    for (int i = 0; i < height * width; ++i)
        for (int c = 0; c < 3; ++c) maps[c * height * width + i] = image[i * 3 + c];
}
static void decode(const float *maps, const int *rows, const int *cols, uint8_t *frame, int height, int width,
                   int tile_width, unsigned tile_height)
{
    for (unsigned y = 0; y < tile_height; ++y)
        for (int x = 0; x < tile_width; ++x)
            for (int c = 0; c < 3; ++c)
                frame[(y * tile_width + x) * 3 + c] = maps[(c * height + rows[y]) * width + cols[x]];
}
static void run(const Launch *l)
{
    const P *a = l->a;
    if (l->decode)
        decode((void *)a[0], (void *)a[1], (void *)a[2], (void *)a[3], a[4] >> 16, a[4] & 0xffff, a[5], a[6]);
    else
        encode((void *)a[0], (void *)a[1], a[4] >> 16, a[4] & 0xffff);
}
API cuModuleLoadData(void **m, const void *image) { *m = &capturing; return memcmp(image, "\177ELF", 4); }
API cuModuleUnload(void *m) { return m != &capturing; }
API cuModuleGetFunction(void **f, void *m, const char *name)
{
    *f = strcmp(name, "decode") == 0 ? (void *)2 : (void *)1;
    return m != &capturing;
}
API cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *s, void **p, void **extra)
{
    Launch l = {f == (void *)2, {0}};
    int pointers = l.decode ? 4 : 2;
    if (!s || extra || shared || gz != 1 || by != 1 || bz != 1) return INVALID;
    for (int i = 0; i < pointers; ++i) l.a[i] = *(P *)p[i];
    int *height = p[pointers], *width = p[pointers + 1];
    l.a[4] = (P)*height << 16 | *width;
    l.a[5] = l.decode ? *(int *)p[6] : *width;
    l.a[6] = gy;
    if ((P)gx * bx < l.a[5]) return INVALID;
    if (capturing) capturing->launches[capturing->count++] = l;
    else run(&l);
    return OK;
}

API cuStreamBeginCapture_v2(void *s, int mode) { capturing = calloc(1, sizeof *capturing); return !s || mode != 1; }
API cuStreamEndCapture(void *s, void **g) { *g = capturing; capturing = 0; ++graphs; return s == 0; }
API cuGraphInstantiateWithFlags(void **x, void *g, unsigned long long f)
{
    *x = memcpy(malloc(sizeof(Graph)), g, sizeof(Graph));
    ++graphs;
    return f != 0;
}
API cuGraphDestroy(void *g) { free(g); --graphs; return OK; }
API cuGraphExecDestroy(void *x) { free(x); --graphs; return OK; }
API cuGraphLaunch(void *x, void *s)
{
    const Graph *g = x;
    for (int i = 0; i < g->count; ++i) run(&g->launches[i]);
    return s == 0;
}

API cuGetProcAddress_v2(const char *name, void **f, int version, uint64_t flags, int *status)
{
    char full[128];
    (void)version, (void)flags;
    const char *endings[] = {"_v2", ""};
    for (int i = 0; i < 2; ++i) {
        snprintf(full, sizeof full, "%s%s", name, endings[i]);
        *f = dlsym(RTLD_DEFAULT, full);
        if (!*f) {
            void *self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
            *f = self ? dlsym(self, full) : 0;
        }
        if (*f) break;
    }
    if (status) *status = *f ? 0 : 1;
    return OK;
}
API cuGetProcAddress(const char *name, void **f, int version, uint64_t flags)
{
    return cuGetProcAddress_v2(name, f, version, flags, 0);
}

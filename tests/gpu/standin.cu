// Stand-ins for an encoder and a decoder: what goes in comes out in the right place, whatever the GPU.
// The encoder spreads a picture into planes; the decoder gathers them at the tile's rows and columns.

typedef unsigned char u8;

extern "C" __global__ void encode(const u8 *image, float *maps, int height, int width)
{
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
    if (x >= width) return;
    for (int c = 0; c < 3; ++c)
        maps[(c * height + y) * width + x] = (float)image[(y * width + x) * 3 + c];
}

extern "C" __global__ void decode(const float *maps, const int *rows, const int *cols, u8 *frame, int height,
                                  int width, int tile_width)
{
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
    if (x >= tile_width) return;
    for (int c = 0; c < 3; ++c)
        frame[(y * tile_width + x) * 3 + c] = (u8)maps[(c * height + rows[y]) * width + cols[x]];
}

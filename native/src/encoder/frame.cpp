#include "encoder/frame.h"

#include <algorithm>
#include <cstring>

namespace esr {
namespace {

constexpr std::size_t kLine = 64, kPage = 4096;
constexpr int kLineWords = 16;
// A kernel computes whole blocks of pixels, 64 at most, and reads a little beyond; with Winograd's transform whole rows
// of tiles, whatever form it leaves them in.
constexpr int kRoom = 64 + 2 * kSpare, kRoomOfTiles = 2;

std::size_t round_up(std::size_t count, std::size_t step) { return (count + step - 1) / step * step; }

// Rows a multiple of 4 kB apart would share a few lines of the first-level cache.
std::size_t pitch_of(std::size_t bytes) {
    const std::size_t pitch = round_up(bytes, kLine);
    return pitch % kPage ? pitch : pitch + kLine;
}

std::size_t value_bytes(Format format) {
    return format == Format::Int8 ? 1 : format == Format::Bf16 || format == Format::Int16 ? 2 : 4;
}

// Words of a plane: a whole block of pixels more than there are, an odd number of cache lines.
int plane_words(int width) { return int(round_up(width + kRoom, kLineWords)) | kLineWords; }

int tiles_of(int width, int step) { return int(round_up((width + kWinogradTile - 1) / kWinogradTile, std::max(step, 1))); }

}  // namespace

Frame::Frame(const PackedEncoder &network, const EncoderKernel &kernel, int height, int width, int threads)
    : height_(height), width_(width),
      tiles_(tiles_of(width, kernel.winograd_tiles * (network.small_groups() ? 2 : 1))),
      pixels_(std::max(width + kRoom, tiles_ * kWinogradTile + kRoomOfTiles)) {
    std::size_t widest = 0;
    for (const Layer &layer : network.layers())
        if (!layer.convolution.maps) {
            std::size_t &pitch = activations_[layer.out].pitch;
            pitch = std::max(pitch, pitch_of(row_bytes(layer.convolution)));
            widest = std::max(widest, pitch);
        }
    for (Rows &rows : activations_) rows.bytes = Buffer<char>(rows.pitch * std::size_t(height));
    head_.pitch = stream_.pitch = pitch_of(std::size_t(pixels_) * std::size_t(network.channels()) * sizeof(float));
    head_.bytes = Buffer<char>(head_.pitch * std::size_t(height));
    stream_.bytes = Buffer<char>(stream_.pitch * std::size_t(height));
    beyond_.pitch = widest;
    beyond_.bytes = Buffer<char>(widest * network.layers().size());
    for (std::size_t i = 0; i < network.layers().size(); ++i)
        std::memset(beyond_.row(int(i)), network.layers()[i].input_zero, widest);
    for (int i = 0; i < threads; ++i) scratch_.emplace_back(scratch_values(network));
}

std::size_t Frame::row_bytes(const Convolution &output) const {
    const std::size_t channels = std::size_t(output.out_channels);
    const std::size_t planes = kLineWords * std::size_t(plane_words(width_)) * sizeof(float);
    if (output.output == Format::Nothing) return 0;
    if (output.output == Format::Bf16Planes) return planes * (channels > 32 ? 2 : 1);
    if (output.output == Format::Int8Planes) return planes;
    if (output.output == Format::Winograd) return std::size_t(tiles_) * kWinogradPoints * channels * sizeof(float);
    return std::size_t(pixels_) * channels * value_bytes(output.output) + kLine;
}

// A line of pixels, and a group's sums at every point of every tile.
std::size_t Frame::scratch_values(const PackedEncoder &network) const {
    return std::size_t(pixels_) * std::size_t(network.widest()) + std::size_t(tiles_) * kWinogradPoints * kGroup;
}

float *Frame::plane_row(Plane plane, int y) {
    if (plane == Plane::None) return nullptr;
    return reinterpret_cast<float *>((plane == Plane::Head ? head_ : stream_).row(y));
}

Strip Frame::strip(const Layer &layer, int index, int y, int rows, int worker) {
    Strip s{};
    s.rows = rows;
    s.width = width_;
    s.y = y;
    s.tiles = tiles_;
    s.plane = plane_words(width_);
    s.scratch = scratch_[std::size_t(worker)].data();
    for (int i = 0; i < rows + 2; ++i) {
        const int at = y + i - 1;
        s.in[i] = at >= 0 && at < height_ ? activations_[layer.in].row(at) : beyond_.row(index);
    }
    for (int i = 0; i < rows; ++i) {
        s.addend[i] = plane_row(layer.addend, y + i);
        s.sum[i] = plane_row(layer.sum, y + i);
        s.out[i] = layer.convolution.maps ? nullptr : activations_[layer.out].row(y + i);
    }
    return s;
}

}  // namespace esr

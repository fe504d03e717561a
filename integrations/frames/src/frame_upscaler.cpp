#include "frame_upscaler.h"

namespace edgesr {

Buffers::Buffer Buffers::take(std::size_t bytes) {
    Buffer buffer;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!free_.empty()) {
            buffer = std::move(free_.back());
            free_.pop_back();
        }
    }
    if (buffer.size() < bytes) buffer.resize(bytes);
    return buffer;
}

void Buffers::give(Buffer &&buffer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(std::move(buffer));
}

FrameUpscaler::FrameUpscaler(std::shared_ptr<const Network> network, const PixelFormat &format, Size given, Size wanted,
                             ChromaLocation location)
    : network_(std::move(network)),
      format_(format),
      given_(given),
      wanted_(wanted),
      before_(format, given, location),
      after_(format, wanted, location),
      headroom_(format, given, wanted) {}

void FrameUpscaler::enlarge(const Picture &picture, const WritablePicture &out, const Colour &colour,
                            int threads) const {
    const std::size_t sample = format_.fits_uint8() ? 1 : sizeof(float);
    const auto bytes = [sample](Size size) { return 3 * sample * std::size_t(size.width) * std::size_t(size.height); };
    Buffers::Buffer image = buffers_.take(bytes(given_) + bytes(wanted_));
    char *enlarged = image.data() + bytes(given_);
    before_.to_rgb(picture, colour, image.data(), threads);
    network_->enlarge(image.data(), given_, enlarged, wanted_, threads);
    after_.from_rgb(enlarged, colour, out, threads);
    headroom_.carry_over(picture.parts[0], colour, out.parts[0], threads);
    buffers_.give(std::move(image));
}

}  // namespace edgesr

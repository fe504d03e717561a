/* Pictures in the formats of the programs around us, enlarged. */
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "conversion.h"
#include "headroom.h"
#include "network.h"

namespace edgesr {

/* Memory that frames lend each other: fresh pages for every frame would cost as much as several layers. */
class Buffers {
public:
    using Buffer = std::vector<char>;

    Buffer take(std::size_t bytes);
    void give(Buffer &&buffer);

private:
    std::mutex mutex_;
    std::vector<Buffer> free_;
};

/* Pictures of one format and size to another size. Several threads may call at once. */
class FrameUpscaler {
public:
    FrameUpscaler(std::shared_ptr<const Network> network, const PixelFormat &format, Size given, Size wanted,
                  ChromaLocation location);

    /* Throws Error. The result has the input's format, colour and chroma location. */
    void enlarge(const Picture &picture, const WritablePicture &out, const Colour &colour, int threads) const;

private:
    std::shared_ptr<const Network> network_;
    PixelFormat format_;
    Size given_, wanted_;
    Conversion before_, after_;
    Headroom headroom_;
    mutable Buffers buffers_;
};

}  // namespace edgesr

#include "upscale_filter.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>

#include "arguments.h"
#include "error.h"
#include "frame_properties.h"
#include "frame_upscaler.h"

namespace edgesr {
namespace {

constexpr char kName[] = "edgesr.Upscale: ";
constexpr int kSmallestSide = 4;
constexpr std::size_t kLocations = 6;

PixelFormat pixel_format(const VSVideoFormat &format) {
    const bool rgb = format.colorFamily == cfRGB, floating = format.sampleType == stFloat;
    const bool halved = format.subSamplingW <= 1 && format.subSamplingH <= format.subSamplingW;
    const bool known = floating ? rgb && format.bitsPerSample == 32 : format.bitsPerSample <= 16;
    if (format.colorFamily == cfGray || format.colorFamily == cfUndefined || !halved || !known)
        throw Error(
            "the clip must be RGB of 8 to 16 bits or RGBS, or YUV 4:2:0, 4:2:2 or 4:4:4 of 8 to 16 bits: "
            "convert it by core.resize first");
    return {rgb, floating, format.bitsPerSample, format.subSamplingW, format.subSamplingH, 0};
}

/* Counts the frames that are under way, so that the threads are shared among them. */
class UnderWay {
public:
    explicit UnderWay(std::atomic<int> &count) : count_(count), position_(++count) {}
    ~UnderWay() { --count_; }
    int threads(int all) const { return std::max(1, all / position_); }

private:
    std::atomic<int> &count_;
    int position_;
};

class Filter {
public:
    Filter(VSNode *clip, const Arguments &arguments, const std::string &bundles, const VSAPI *api)
        : clip_(clip), info_(*api->getVideoInfo(clip)) {
        if (info_.width == 0 || info_.format.colorFamily == cfUndefined)
            throw Error("the clip must keep one format and one size");
        format_ = pixel_format(info_.format);
        given_ = {info_.width, info_.height};
        if (std::min(given_.width, given_.height) < kSmallestSide) throw Error("the clip must have 4x4 pixels or more");
        wanted_ = output_size(given_, arguments.size, 1 << format_.half_width, 1 << format_.half_height);
        network_ = std::make_shared<Network>(open_bundle(arguments.model, bundles), arguments.precision,
                                             !format_.fits_uint8());
        info_.width = wanted_.width;
        info_.height = wanted_.height;
    }

    const VSFrame *frame(int n, VSFrameContext *context, VSCore *core, const VSAPI *api) {
        const std::unique_ptr<const VSFrame, void (*)(const VSFrame *)> source(api->getFrameFilter(n, clip_, context),
                                                                               api->freeFrame);
        const FrameProperties properties = read_properties(source.get(), api);
        std::unique_ptr<VSFrame, void (*)(const VSFrame *)> result(
            api->newVideoFrame(&info_.format, wanted_.width, wanted_.height, source.get(), core), api->freeFrame);
        Picture from;
        WritablePicture to;
        for (int i = 0; i < 3; ++i) {
            from.parts[i] = {api->getReadPtr(source.get(), i), api->getStride(source.get(), i), format_.bytes()};
            to.parts[i] = {api->getWritePtr(result.get(), i), api->getStride(result.get(), i), format_.bytes()};
        }
        VSCoreInfo about;
        api->getCoreInfo(core, &about);
        const UnderWay one(under_way_);
        upscaler(properties.location).enlarge(from, to, properties.colour, one.threads(about.numThreads));
        set_properties(result.get(), properties, format_, given_, wanted_, api);
        return result.release();
    }

    VSNode *clip() const { return clip_; }
    const VSVideoInfo &info() const { return info_; }

private:
    const FrameUpscaler &upscaler(ChromaLocation location) {
        const std::lock_guard<std::mutex> lock(mutex_);
        std::unique_ptr<FrameUpscaler> &one = upscalers_[std::size_t(location)];
        if (!one) one = std::make_unique<FrameUpscaler>(network_, format_, given_, wanted_, location);
        return *one;
    }

    VSNode *clip_;
    VSVideoInfo info_;
    PixelFormat format_;
    Size given_, wanted_;
    std::shared_ptr<const Network> network_;
    std::mutex mutex_;
    std::array<std::unique_ptr<FrameUpscaler>, kLocations> upscalers_;
    std::atomic<int> under_way_{0};
};

const VSFrame *VS_CC get_frame(int n, int reason, void *instance, void **, VSFrameContext *context, VSCore *core,
                               const VSAPI *api) {
    Filter &filter = *static_cast<Filter *>(instance);
    if (reason == arInitial) api->requestFrameFilter(n, filter.clip(), context);
    if (reason != arAllFramesReady) return nullptr;
    try {
        return filter.frame(n, context, core, api);
    } catch (const std::exception &error) {
        api->setFilterError((kName + std::string(error.what())).c_str(), context);
        return nullptr;
    }
}

void VS_CC free_filter(void *instance, VSCore *, const VSAPI *api) {
    const std::unique_ptr<Filter> filter(static_cast<Filter *>(instance));
    api->freeNode(filter->clip());
}

}  // namespace

void create_upscale(const VSMap *in, VSMap *out, const std::string &bundles, VSCore *core, const VSAPI *api) {
    VSNode *clip = api->mapGetNode(in, "clip", 0, nullptr);
    try {
        auto filter = std::make_unique<Filter>(clip, read_arguments(in, api), bundles, api);
        const VSFilterDependency dependency{clip, rpStrictSpatial};
        const VSVideoInfo info = filter->info();
        api->createVideoFilter(out, "Upscale", &info, get_frame, free_filter, fmParallel, &dependency, 1,
                               filter.release(), core);
    } catch (const std::exception &error) {
        api->mapSetError(out, (kName + std::string(error.what())).c_str());
        api->freeNode(clip);
    }
}

}  // namespace edgesr

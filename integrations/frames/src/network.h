/* A bundle's network in the native library: pictures in, pictures of any size out. */
#pragma once

#include <memory>

#include "bundle.h"
#include "esr_native.h"
#include "sizes.h"

namespace edgesr {

class Network {
public:
    /* `precision` is auto, fp32, bf16 or int8; `float_pictures`: float32 in [0, 1] instead of uint8. */
    Network(const Bundle &bundle, const std::string &precision, bool float_pictures);

    /* Enlarges `image`, RGB interleaved without gaps, into `out` likewise. Several threads may call at once, each on as
     * many `threads` as it says; results do not depend on them. Throws Error. */
    void enlarge(const void *image, Size given, void *out, Size wanted, int threads) const;

    bool float_pictures() const { return float_pictures_; }
    const std::string &precision() const { return precision_; }

private:
    struct FreeEncoder {
        void operator()(esr_encoder *encoder) const { esr_encoder_destroy(encoder); }
    };
    struct FreeDecoder {
        void operator()(esr_decoder *decoder) const { esr_decoder_destroy(decoder); }
    };
    struct Strip;

    void open_encoder(const Bundle &bundle, const std::string &kernel);
    void open_decoder(const Bundle &bundle, const std::string &kernel);
    void enlarge_strip(const Strip &strip, int threads) const;

    std::string precision_;
    bool float_pictures_, bf16_maps_ = false;
    int maps_ = 0, radius_ = 0, working_bytes_ = 1;
    std::unique_ptr<esr_encoder, FreeEncoder> encoder_;
    std::unique_ptr<esr_decoder, FreeDecoder> decoder_;
};

}  // namespace edgesr

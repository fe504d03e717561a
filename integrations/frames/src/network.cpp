#include "network.h"

#include <algorithm>
#include <vector>

#include "error.h"
#include "grid.h"
#include "kernels.h"
#include "residual.h"

namespace edgesr {
namespace {

/* Maps and activations that one strip may take, in bytes: as edge_sr/plan.py cuts frames. */
constexpr std::int64_t kStripBytes = std::int64_t(640) << 20;

void check(int status, const char *what) {
    if (status == ESR_OK) return;
    if (status == ESR_OUT_OF_MEMORY) throw Error(std::string(what) + ": there is not enough memory");
    throw Error(std::string(what) + ": the native library refused it (status " + std::to_string(status) + ")");
}

std::string stored_precision(const Bundle &bundle, const std::string &precision) {
    if (precision != "int8") return "fp32";
    return bundle.has_encoder("int8-cpu") ? "int8-cpu" : "int8";
}

/* One weight of the decoder, of `rows` x `columns`. */
std::vector<float> weight(const Bundle &bundle, const std::string &name, int rows, int columns) {
    const auto found = bundle.decoder.find(name);
    if (found == bundle.decoder.end()) throw Error("bundle " + bundle.folder + " lacks " + name + ": export it again");
    return found->second.values<float>('f', std::int64_t(rows) * columns);
}

std::vector<const float *> pointers(const std::vector<std::vector<float>> &arrays) {
    std::vector<const float *> result;
    for (const std::vector<float> &array : arrays) result.push_back(array.empty() ? nullptr : array.data());
    return result;
}

}  // namespace

/* Rows `first` up to `stop` of the output, made from the picture's rows `top` up to `bottom`. */
struct Network::Strip {
    const void *image;
    Size given;
    void *out;
    Size wanted;
    int top, bottom, first, stop;
};

Network::Network(const Bundle &bundle, const std::string &precision, bool float_pictures)
    : precision_(precision == "auto" ? default_precision() : precision),
      float_pictures_(float_pictures),
      radius_(bundle.radius),
      working_bytes_(bundle.working_bytes) {
    const Kernels kernels = kernels_for(precision_);
    bf16_maps_ = kernels.bf16_maps;
    open_encoder(bundle, kernels.encoder);
    open_decoder(bundle, kernels.decoder);
}

void Network::open_encoder(const Bundle &bundle, const std::string &kernel) {
    const std::string file = bundle.encoder(stored_precision(bundle, precision_), float_pictures_ ? "float" : "uint8");
    const ResidualEncoder residual(read_onnx(file), bundle.blocks);
    const esr_encoder_network network = residual.network();
    esr_encoder *encoder = nullptr;
    check(esr_encoder_create(&network, kernel.c_str(), &encoder), bundle.name.c_str());
    encoder_.reset(encoder);
    maps_ = residual.maps();
}

void Network::open_decoder(const Bundle &bundle, const std::string &kernel) {
    const int layers = int(bundle.widths.size());
    if (layers < 1) throw Error("bundle " + bundle.folder + " has a decoder without layers: export it again");
    std::vector<std::vector<float>> synthesis, bias, modulation(bundle.widths.size());
    for (int i = 0; i < layers; ++i) {
        const int width = bundle.widths[std::size_t(i)], inputs = i ? bundle.widths[std::size_t(i) - 1] : 3;
        const std::string number = std::to_string(i);
        synthesis.push_back(weight(bundle, "synthesis." + number + ".weight", width, inputs));
        bias.push_back(weight(bundle, "synthesis." + number + ".bias", width, 1));
        if (bundle.mode == 3 && i > 0)
            modulation[std::size_t(i)] = weight(bundle, "modulation." + number + ".weight", width, inputs);
    }
    const std::vector<float> last = weight(bundle, "last.weight", 3, bundle.widths.back());
    const std::vector<float> last_bias = weight(bundle, "last.bias", 3, 1);
    const auto synthesis_table = pointers(synthesis), bias_table = pointers(bias),
               modulation_table = pointers(modulation);
    const esr_network network{bundle.mode,          layers,
                              bundle.widths.data(), synthesis_table.data(),
                              bias_table.data(),    modulation_table.data(),
                              last.data(),          last_bias.data(),
                              bundle.bilinear_base};
    esr_decoder *decoder = nullptr;
    check(esr_decoder_create(&network, kernel.c_str(), &decoder), bundle.name.c_str());
    decoder_.reset(decoder);
}

void Network::enlarge(const void *image, Size given, void *out, Size wanted, int threads) const {
    const std::int64_t pixels = std::max<std::int64_t>(1, kStripBytes / working_bytes_);
    const std::int64_t room = pixels / given.width - 2 * radius_;
    const bool whole = std::int64_t(given.width) * given.height <= pixels;
    const int rows = whole ? given.height
                           : int(std::min<std::int64_t>(given.height, std::max<std::int64_t>(room, 2 * radius_ + 16)));
    const int strips = (given.height + rows - 1) / rows;
    for (int i = 0; i < strips; ++i) {
        const int begin = int(std::int64_t(i) * given.height / strips),
                  end = int(std::int64_t(i + 1) * given.height / strips);
        enlarge_strip(
            {image, given, out, wanted, std::max(0, begin - radius_), std::min(given.height, end + radius_),
             first_output(given.height, wanted.height, begin), first_output(given.height, wanted.height, end)},
            threads);
    }
}

void Network::enlarge_strip(const Strip &strip, int threads) const {
    if (strip.first >= strip.stop) return;
    const std::size_t sample = float_pictures_ ? sizeof(float) : 1;
    const int height = strip.bottom - strip.top;
    const auto *image =
        static_cast<const char *>(strip.image) + 3 * sample * std::size_t(strip.top) * std::size_t(strip.given.width);
    std::vector<char> maps(std::size_t(maps_) * std::size_t(height) * std::size_t(strip.given.width) *
                           (bf16_maps_ ? 2 : 4));
    const esr_encode_request encoding{image,           height,     strip.given.width, maps.data(),
                                      float_pictures_, bf16_maps_, threads,           0};
    check(esr_encode(encoder_.get(), &encoding), "encoding a picture");
    std::vector<std::int32_t> rows = nearest(strip.given.height, strip.wanted.height, strip.first, strip.stop);
    for (std::int32_t &row : rows) row -= strip.top;
    const auto cols = nearest(strip.given.width, strip.wanted.width, 0, strip.wanted.width);
    const auto offset_y = offsets(strip.given.height, strip.wanted.height, strip.first, strip.stop);
    const auto offset_x = offsets(strip.given.width, strip.wanted.width, 0, strip.wanted.width);
    auto *out =
        static_cast<char *>(strip.out) + 3 * sample * std::size_t(strip.first) * std::size_t(strip.wanted.width);
    const esr_request request{maps.data(),
                              maps_,
                              height,
                              strip.given.width,
                              image,
                              rows.data(),
                              cols.data(),
                              offset_y.data(),
                              offset_x.data(),
                              cell_ratio(strip.given, strip.wanted),
                              strip.stop - strip.first,
                              strip.wanted.width,
                              out,
                              float_pictures_,
                              threads,
                              bf16_maps_};
    check(esr_decode(decoder_.get(), &request), "decoding a picture");
}

}  // namespace edgesr

// Holds every encoder kernel this processor runs against the portable one, every way to cut a frame against the whole, and
// tries what has to be refused. Built plainly, under sanitizers, and for aarch64 to run emulated. Prints a line a kernel.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <sstream>
#include <string>

#include "random_encoder.h"

namespace {

using Maps = std::vector<float>;

const std::vector<EncoderShape> &shapes() {
    static const std::vector<EncoderShape> all = [] {
        std::vector<EncoderShape> made = {
            {32, 2, {32, 64}, false, 19, 37, false}, {16, 3, {32, 44}, false, 24, 64, true},  {64, 1, {17}, false, 5, 130, false},
            {20, 0, {5, 3, 9}, false, 2, 3, true},   {1, 1, {1}, false, 1, 1, false},          {40, 1, {33, 48}, false, 11, 21, true},
            {32, 2, {32, 64}, true, 19, 37, false},  {16, 3, {32, 44}, true, 24, 64, false},   {64, 1, {17, 80}, true, 7, 33, false},
            {7, 0, {3, 20}, true, 5, 90, true},      {16, 1, {20}, false, 11, 100, false},
        };
        // Widths just beyond a whole group of Winograd's tiles, whose rows a mixed network's other convolutions read.
        for (const int width : {3, 41, 81, 83, 161, 165})
            for (const int channels : {16, 32}) made.push_back({channels, 4, {20}, true, 6, width, false, true});
        return made;
    }();
    return all;
}

struct Encoder {
    esr_encoder *handle = nullptr;

    Encoder(const esr_encoder_network &network, const std::string &kernel) {
        status = esr_encoder_create(&network, kernel.c_str(), &handle);
    }
    Encoder(const Encoder &) = delete;
    ~Encoder() { esr_encoder_destroy(handle); }

    int status;
};

Maps encode(const Encoder &encoder, const RandomPicture &picture, const EncoderShape &shape, int maps, int threads = 1, int depth = 0) {
    Exact<float> out(std::size_t(maps) * shape.height * shape.width);
    const esr_encode_request request = picture.request(out.data.get(), shape.float_pictures, threads, depth);
    if (esr_encode(encoder.handle, &request) != ESR_OK) std::abort();
    return Maps(out.data.get(), out.data.get() + out.size);
}

bool same(const Maps &a, const Maps &b) { return !std::memcmp(a.data(), b.data(), a.size() * sizeof(float)); }

bool same_however_shared(const Encoder &encoder, const EncoderShape &shape, int maps, const RandomPicture &picture, const Maps &whole) {
    constexpr struct {
        int threads, depth;
    } ways[] = {{1, 30}, {2, 1}, {2, 2}, {5, 3}};
    return std::all_of(std::begin(ways), std::end(ways), [&](const auto &way) {
        return same(whole, encode(encoder, picture, shape, maps, way.threads, way.depth));
    });
}

// Whether a part from column x and row y on has the maps of the whole beyond the reach of its own borders.
bool same_in_part(const Encoder &encoder, const EncoderShape &shape, int maps, const RandomPicture &picture, const Maps &whole, int x, int y, bool winograd) {
    EncoderShape part = shape;
    // A Winograd convolution reaches over whole tiles of four columns, not one column.
    const int reach = shape.radius(), wide = reach + (winograd ? 3 * (reach - 1) : 0);
    part.width = shape.width - x;
    part.height = shape.height - y;
    const Maps found = encode(encoder, RandomPicture(picture, x, y, part.width, part.height), part, maps, 2);
    for (int c = 0; c < maps; ++c)
        for (int row = y ? reach : 0; row < part.height; ++row)
            for (int column = x ? wide : 0; column < part.width; ++column) {
                const float a = found[(std::size_t(c) * part.height + row) * part.width + column];
                const float b = whole[(std::size_t(c) * shape.height + y + row) * shape.width + x + column];
                if (a != b) return false;
            }
    return true;
}

struct Findings {
    double floats = 0, levels = 0;
    bool cuts = true;
};

double largest_difference(const Maps &a, const Maps &b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(double(a[i]) - double(b[i])));
    return largest;
}

bool rounds_to_bf16(const std::string &kernel) { return kernel.find("bf16") != std::string::npos || kernel == "amx"; }

Maps reference(const EncoderShape &shape) {
    const RandomEncoder network(shape, 1);
    const Encoder portable(network.view(), "portable");
    return encode(portable, RandomPicture(shape.height, shape.width, 2), shape, network.maps());
}

const std::vector<Maps> &references() {
    static const std::vector<Maps> all = [] {
        std::vector<Maps> made;
        for (const EncoderShape &shape : shapes()) made.push_back(reference(shape));
        return made;
    }();
    return all;
}

void compare_shape(const EncoderShape &shape, const Maps &expected, const std::string &kernel, Findings &found) {
    const RandomEncoder network(shape, 1);
    const RandomPicture picture(shape.height, shape.width, 2);
    const Encoder encoder(network.view(), kernel);
    if (encoder.status != ESR_OK) return;
    const Maps whole = encode(encoder, picture, shape, network.maps());
    double &largest = shape.int8 ? found.levels : found.floats;
    largest = std::max(largest, largest_difference(expected, whole));
    const int maps = network.maps(), x = shape.width / 8 * 4, y = shape.height / 2;
    const bool winograd = !rounds_to_bf16(kernel) && kernel != "portable";
    found.cuts = found.cuts && same_however_shared(encoder, shape, maps, picture, whole) &&
                 same_in_part(encoder, shape, maps, picture, whole, 0, y, winograd) &&
                 same_in_part(encoder, shape, maps, picture, whole, x, y, winograd);
}

bool compare(const std::string &kernel) {
    Findings found;
    for (std::size_t i = 0; i < shapes().size(); ++i) compare_shape(shapes()[i], references()[i], kernel, found);
    std::printf("%s: largest difference %.2e, INT8 %.2e, %s\n", kernel.c_str(), found.floats, found.levels,
                found.cuts ? "the same bits however cut" : "BITS DEPEND ON THE CUT");
    return found.floats < (rounds_to_bf16(kernel) ? 5e-2 : 1e-5) && found.levels < 1e-1 && found.cuts;
}

// Convolutions all in INT8 give the same bits on every kernel with fused multiply-adds and unsigned levels, and those of 16 bits
// on the kernels that have them.
bool levels_agree(std::initializer_list<const char *> kernels, bool words) {
    EncoderShape shape{32, 2, {5, 40}, true, 21, 50, false};
    const RandomEncoder network(shape, 5);
    const RandomPicture picture(shape.height, shape.width, 6);
    std::string first_name;
    Maps first;
    for (const char *kernel : kernels) {
        const Encoder encoder(network.view(), kernel);
        if (encoder.status != ESR_OK) continue;
        Maps found = encode(encoder, picture, shape, network.maps());
        // The first content is in floating point or words.
        if (!words) found.erase(found.begin(), found.begin() + std::ptrdiff_t(shape.contents[0]) * shape.height * shape.width);
        if (first_name.empty()) {
            first = found;
            first_name = kernel;
        } else if (!same(first, found)) {
            std::printf("INT8 of %s and %s differ\n", first_name.c_str(), kernel);
            return false;
        } else {
            std::printf("INT8 of %s equals %s's\n", kernel, first_name.c_str());
        }
    }
    return true;
}

bool bf16_maps_are_rounded() {
    const EncoderShape shape{32, 1, {40, 7}, false, 9, 45, false};
    const RandomEncoder network(shape, 7);
    const RandomPicture picture(shape.height, shape.width, 8);
    const Encoder encoder(network.view(), "amx");
    if (encoder.status != ESR_OK) return true;
    const Maps floats = encode(encoder, picture, shape, network.maps());
    Exact<std::uint16_t> halves(floats.size());
    esr_encode_request request = picture.request(halves.data.get(), false, 1, 0);
    request.bf16_maps = 1;
    if (esr_encode(encoder.handle, &request) != ESR_OK) return false;
    for (std::size_t i = 0; i < floats.size(); ++i) {
        const std::uint32_t word = std::uint32_t(halves.data[i]) << 16;
        float value;
        std::memcpy(&value, &word, sizeof value);
        if (std::fabs(value - floats[i]) > std::fabs(floats[i]) / 256) return false;
    }
    return true;
}

bool refuses(void (*spoil)(esr_encode_request &)) {
    const EncoderShape shape{8, 1, {8}, false, 5, 7, false};
    const RandomEncoder network(shape, 3);
    const Encoder encoder(network.view(), "auto");
    Exact<float> out(std::size_t(8 * 5 * 7));
    const RandomPicture picture(5, 7, 4);
    esr_encode_request request = picture.request(out.data.get(), false, 1, 0);
    spoil(request);
    return esr_encode(encoder.handle, &request) == ESR_BAD_REQUEST;
}

bool refuses_network(void (*spoil)(esr_encoder_network &, std::vector<esr_convolution> &), const char *kernel = "portable") {
    const EncoderShape shape{8, 1, {8}, false, 5, 7, false};
    RandomEncoder network(shape, 3);
    esr_encoder_network view = network.view();
    spoil(view, network.convolutions());
    return Encoder(view, kernel).status == ESR_BAD_NETWORK;
}

bool refuses_bad_input() {
    using Convolutions = std::vector<esr_convolution>;
    return refuses([](esr_encode_request &r) { r.width = 0; }) && refuses([](esr_encode_request &r) { r.height = 1 << 30; }) &&
           refuses([](esr_encode_request &r) { r.image = nullptr; }) && refuses([](esr_encode_request &r) { r.threads = 0; }) &&
           refuses([](esr_encode_request &r) { r.bf16_maps = 1; }) && refuses([](esr_encode_request &r) { r.depth = -1; }) &&
           refuses_network([](esr_encoder_network &n, Convolutions &) { n.channels = 65; }) &&
           refuses_network([](esr_encoder_network &n, Convolutions &) { n.blocks = -1; }) &&
           refuses_network([](esr_encoder_network &n, Convolutions &) { n.contents = 0; }) &&
           refuses_network([](esr_encoder_network &, Convolutions &c) { c[2].inputs = 9; }) &&
           refuses_network([](esr_encoder_network &, Convolutions &c) { c[1].weight = nullptr; });
}

}  // namespace

int main() {
    bool good = refuses_bad_input() && bf16_maps_are_rounded();
    std::istringstream names(esr_encoder_kernels());
    for (std::string name; names >> name;) good = compare(name) && good;
    good = levels_agree({"avx512-vnni", "avx2-vnni", "avx512-bf16", "amx"}, false) && good;
    good = levels_agree({"avx512-vnni", "avx2-vnni"}, true) && good;
    std::puts(good ? "all encoders agree" : "FAILED");
    return good ? 0 : 1;
}

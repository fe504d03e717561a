// Holds every kernel this processor runs against the portable one, over shapes that take different paths, and tries
// what has to be refused. Built plainly, under sanitizers, and for aarch64 to run emulated. Prints a line a kernel.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

#include "random_call.h"

namespace {

struct Decoder {
    esr_decoder *handle = nullptr;

    Decoder(const esr_network &network, const std::string &kernel) {
        if (esr_decoder_create(&network, kernel.c_str(), &handle) != ESR_OK) std::abort();
    }
    Decoder(const Decoder &) = delete;
    ~Decoder() { esr_decoder_destroy(handle); }
};

const std::vector<Shape> &shapes() {
    static const std::vector<Shape> all = {
        {3, true, true, {32, 32, 32}, 9, 21, 20, 50},   {3, false, true, {64, 64, 64, 64}, 4, 40, 9, 133},
        {2, true, true, {7, 33, 18}, 5, 5, 12, 11},     {1, false, true, {1}, 1, 1, 3, 40},
        {3, true, true, {5, 3}, 3, 64, 3, 64},          {3, true, true, {16, 9, 2}, 6, 17, 7, 19},
        {2, true, true, {24, 24}, 2, 33, 16, 264},      {3, true, true, {130, 257}, 2, 18, 5, 37},
    };
    return all;
}

template <class Value>
Exact<Value> decode(const Shape &shape, const std::string &kernel, int threads) {
    const RandomNetwork network(shape, 1);
    const RandomCall call(shape, network.channels(), 2);
    const Decoder decoder(network.view(), kernel);
    Exact<Value> out(call.values());
    const esr_request request = call.request(out.data.get(), threads);
    if (esr_decode(decoder.handle, &request) != ESR_OK) std::abort();
    return out;
}

template <class Value>
double largest_difference(const Shape &shape, const std::string &kernel) {
    const Exact<Value> expected = decode<Value>(shape, "portable", 1);
    const Exact<Value> found = decode<Value>(shape, kernel, 3);
    double largest = 0;
    for (std::size_t i = 0; i < found.size; ++i)
        largest = std::max(largest, std::fabs(double(found.data[i]) - double(expected.data[i])));
    return largest;
}

bool compare(const std::string &kernel) {
    const bool exact = kernel.find("bf16") == std::string::npos && kernel != "amx";
    double floats = 0, bytes = 0;
    for (Shape shape : shapes()) {
        floats = std::max(floats, largest_difference<float>(shape, kernel));
        shape.float_pictures = false;
        bytes = std::max(bytes, largest_difference<std::uint8_t>(shape, kernel));
    }
    std::printf("%s: largest difference %.2e, %g levels\n", kernel.c_str(), floats, bytes);
    return exact ? floats < 1e-5 && bytes <= 1 : floats < 0.2;
}

bool compare_sines(const std::string &kernel) {
    float x[1024], sine[1024], cosine[1024];
    for (int i = 0; i < 1024; ++i) x[i] = float(i - 512) * 0.0371f;
    if (esr_sines(kernel.c_str(), x, sine, cosine, 1024) != ESR_OK) return false;
    const double pi = std::acos(-1.0);
    double largest = 0;
    for (int i = 0; i < 1024; ++i) {
        largest = std::max(largest, std::fabs(sine[i] - std::sin(pi * double(x[i]))));
        largest = std::max(largest, std::fabs(cosine[i] - std::cos(pi * double(x[i]))));
    }
    return largest < 1e-6;
}

bool refuses(void (*spoil)(RandomCall &, esr_request &)) {
    const Shape shape{3, true, false, {8, 8}, 5, 7, 10, 14};
    const RandomNetwork network(shape, 3);
    RandomCall call(shape, network.channels(), 4);
    const Decoder decoder(network.view(), "auto");
    Exact<std::uint8_t> out(call.values());
    esr_request request = call.request(out.data.get(), 1);
    spoil(call, request);
    return esr_decode(decoder.handle, &request) == ESR_BAD_REQUEST;
}

bool refuses_bad_requests() {
    return refuses([](RandomCall &call, esr_request &) { call.rows()[3] = 5; }) &&
           refuses([](RandomCall &call, esr_request &) { call.cols()[0] = -1; }) &&
           refuses([](RandomCall &, esr_request &request) { request.channels += 1; }) &&
           refuses([](RandomCall &, esr_request &request) { request.out_width = 1 << 30; }) &&
           refuses([](RandomCall &, esr_request &request) { request.image = nullptr; }) &&
           refuses([](RandomCall &, esr_request &request) { request.bf16_maps = 1; }) &&
           refuses([](RandomCall &, esr_request &request) { request.ratio = NAN; });
}

}  // namespace

int main() {
    bool good = refuses_bad_requests();
    std::istringstream names(esr_kernels());
    for (std::string name; names >> name;) good = compare(name) && compare_sines(name) && good;
    std::puts(good ? "all kernels agree" : "FAILED");
    return good ? 0 : 1;
}

// libFuzzer target: bytes choose the network's form, the sizes and the indices; whatever they say, a call is refused or
// stays inside its arrays.
#include <algorithm>

#include "bytes.h"
#include "random_call.h"

namespace {

Shape read_shape(Bytes &bytes) {
    Shape shape{};
    shape.mode = bytes.next(5);
    shape.base = bytes.next(2) != 0;
    shape.float_pictures = bytes.next(2) != 0;
    for (int layers = 1 + bytes.next(4); layers > 0; --layers) shape.widths.push_back(1 + bytes.next(40));
    shape.height = 1 + bytes.next(12);
    shape.width = 1 + bytes.next(60);
    shape.out_height = 1 + bytes.next(20);
    shape.out_width = 1 + bytes.next(150);
    return shape;
}

void spoil(Bytes &bytes, const Shape &shape, RandomCall &call, esr_request &request) {
    while (!bytes.empty()) {
        switch (bytes.next(7)) {
            case 0: call.rows()[bytes.next(shape.out_height)] = bytes.next(shape.height + 1); break;
            case 1: call.cols()[bytes.next(shape.out_width)] = bytes.next(shape.width + 1); break;
            case 2: call.cols()[bytes.next(shape.out_width)] = bytes.wild(); break;
            case 3: request.channels = bytes.wild(); break;
            case 5: request.bf16_maps = 1; break;
            case 4: request.threads = bytes.next(5); break;
            default: request.out_height = std::min(request.out_height, bytes.wild());
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    static const char *const kernels[] = {"auto", "portable", "avx2", "avx512-bf16", "amx", "neon"};
    Bytes bytes(data, size);
    const char *kernel = kernels[bytes.next(6)];
    const Shape shape = read_shape(bytes);
    const RandomNetwork network(shape, 1);
    RandomCall call(shape, network.channels(), 2);
    esr_decoder *decoder = nullptr;
    if (esr_decoder_create(&network.view(), kernel, &decoder) != ESR_OK) return 0;
    Exact<float> out(call.values());
    esr_request request = call.request(out.data.get(), 1);
    spoil(bytes, shape, call, request);
    esr_decode(decoder, &request);
    esr_decoder_destroy(decoder);
    return 0;
}

// libFuzzer target: bytes choose the network's form, the sizes and what is spoilt; whatever they say, a call is refused or
// stays inside its arrays.
#include "bytes.h"
#include "random_encoder.h"

namespace {

EncoderShape read_shape(Bytes &bytes) {
    EncoderShape shape{};
    shape.channels = 1 + bytes.next(66);
    shape.blocks = bytes.next(3);
    for (int contents = 1 + bytes.next(3); contents > 0; --contents) shape.contents.push_back(1 + bytes.next(70));
    shape.int8 = bytes.next(2) != 0;
    shape.height = 1 + bytes.next(10);
    shape.width = 1 + bytes.next(80);
    shape.float_pictures = bytes.next(2) != 0;
    return shape;
}

void spoil_network(Bytes &bytes, esr_encoder_network &network, std::vector<esr_convolution> &convolutions) {
    esr_convolution &one = convolutions[std::size_t(bytes.next(int(convolutions.size())))];
    switch (bytes.next(8)) {
        case 0: network.channels = bytes.wild(); break;
        case 1: network.blocks = std::min(network.blocks, bytes.wild()); break;
        case 2: network.contents = std::min(network.contents, bytes.wild()); break;
        case 3: one.inputs = bytes.wild(); break;
        case 4: one.levels = nullptr; break;
        case 5: one.input_zero = bytes.wild(); break;
        default: break;
    }
}

void spoil_request(Bytes &bytes, esr_encode_request &request) {
    switch (bytes.next(8)) {
        case 0: request.width = std::min(request.width, bytes.wild()); break;
        case 1: request.height = std::min(request.height, bytes.wild()); break;
        case 2: request.depth = bytes.wild(); break;
        case 3: request.threads = bytes.next(5); break;
        case 4: request.bf16_maps = 1; break;
        case 5: request.image = nullptr; break;
        default: break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    static const char *const kernels[] = {"auto", "portable", "avx2", "avx2-vnni", "avx512-vnni", "avx512-bf16", "amx", "neon-dot"};
    Bytes bytes(data, size);
    const char *kernel = kernels[bytes.next(8)];
    const EncoderShape shape = read_shape(bytes);
    RandomEncoder random(shape, 1);
    const RandomPicture picture(shape.height, shape.width, 2);
    esr_encoder_network network = random.view();
    spoil_network(bytes, network, random.convolutions());
    esr_encoder *encoder = nullptr;
    if (esr_encoder_create(&network, kernel, &encoder) != ESR_OK) return 0;
    Exact<float> out(std::size_t(random.maps()) * shape.height * shape.width);
    esr_encode_request request = picture.request(out.data.get(), shape.float_pictures, 1 + bytes.next(3), bytes.next(4));
    spoil_request(bytes, request);
    esr_encode(encoder, &request);
    esr_encoder_destroy(encoder);
    return 0;
}

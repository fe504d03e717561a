#include "bytes.h"

#include <fstream>
#include <iterator>

#include "error.h"

namespace edgesr {

std::string_view Bytes::take(std::uint64_t count) {
    if (count > bytes_.size()) throw Error("a file of the bundle is cut short: export the bundle again");
    const std::string_view taken = bytes_.substr(0, std::size_t(count));
    bytes_.remove_prefix(std::size_t(count));
    return taken;
}

std::uint64_t Bytes::little(int size) {
    const std::string_view taken = take(std::uint64_t(size));
    std::uint64_t value = 0;
    for (int i = size; i-- > 0;) value = value << 8 | std::uint8_t(taken[std::size_t(i)]);
    return value;
}

std::uint64_t Bytes::varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        const std::uint64_t byte = little(1);
        value |= (byte & 127) << shift;
        if (byte < 128) return value;
    }
    throw Error("a file of the bundle is damaged: export the bundle again");
}

std::string read_file(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string read_checked(const std::string &path, const std::string &sha256) {
    std::string content = read_file(path);
    if (sha256_of(content) != sha256) throw Error(path + " is damaged: export or install the bundle again");
    return content;
}

}  // namespace edgesr

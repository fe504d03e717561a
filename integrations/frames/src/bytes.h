/* Foreign bytes, read with every step checked. */
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace edgesr {

/* A place in bytes that only moves forward; reading past the end throws Error. */
class Bytes {
public:
    explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

    bool empty() const { return bytes_.empty(); }
    std::string_view rest() const { return bytes_; }
    std::string_view take(std::uint64_t count);
    std::uint64_t little(int size);
    std::uint64_t varint();

private:
    std::string_view bytes_;
};

/* All of a file; Error where it cannot be read. */
std::string read_file(const std::string &path);
/* As read_file; Error where the content is not what the lower-case hexadecimal hash says. */
std::string read_checked(const std::string &path, const std::string &sha256);
std::string sha256_of(std::string_view bytes);

}  // namespace edgesr

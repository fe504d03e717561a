/* SHA-256 (FIPS 180-4): a bundle's files are known by it. */
#include <array>
#include <cmath>
#include <cstring>

#include "bytes.h"

namespace edgesr {
namespace {

using Words = std::array<std::uint32_t, 64>;

std::uint32_t rotated(std::uint32_t word, int by) { return word >> by | word << (32 - by); }

bool is_prime(int n) {
    for (int divisor = 2; divisor * divisor <= n; ++divisor)
        if (n % divisor == 0) return false;
    return true;
}

/* The first 32 bits of the fractional part of a root of each of the first 64 primes (sections 4.2.2 and 5.3.3). */
Words fractions(double (*root)(double)) {
    Words words{};
    int count = 0;
    for (int n = 2; count < 64; ++n) {
        if (!is_prime(n)) continue;
        const double value = root((double)n);
        words[std::size_t(count++)] = std::uint32_t((value - std::floor(value)) * 4294967296.0);
    }
    return words;
}

double square_root(double value) { return std::sqrt(value); }
double cube_root(double value) { return std::cbrt(value); }

Words schedule(const unsigned char *block) {
    Words w{};
    for (std::size_t i = 0; i < 16; ++i)
        w[i] = std::uint32_t(block[4 * i]) << 24 | std::uint32_t(block[4 * i + 1]) << 16 |
               std::uint32_t(block[4 * i + 2]) << 8 | block[4 * i + 3];
    for (std::size_t i = 16; i < 64; ++i) {
        const std::uint32_t low = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3;
        const std::uint32_t high = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + low + w[i - 7] + high;
    }
    return w;
}

void compress(std::array<std::uint32_t, 8> &state, const unsigned char *block, const Words &constants) {
    const Words w = schedule(block);
    auto [a, b, c, d, e, f, g, h] = state;
    for (std::size_t i = 0; i < 64; ++i) {
        const std::uint32_t choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
        const std::uint32_t high = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
        const std::uint32_t low = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
        const std::uint32_t first = h + high + choice + constants[i] + w[i];
        h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + low + majority;
    }
    const std::uint32_t added[] = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) state[i] += added[i];
}

std::string padded(std::string_view bytes) {
    std::string message(bytes);
    message += char(0x80);
    message.resize((message.size() + 8 + 63) / 64 * 64);
    const std::uint64_t bits = 8 * std::uint64_t(bytes.size());
    for (std::size_t i = 0; i < 8; ++i) message[message.size() - 1 - i] = char(bits >> 8 * i);
    return message;
}

}  // namespace

std::string sha256_of(std::string_view bytes) {
    static const Words constants = fractions(cube_root), start = fractions(square_root);
    std::array<std::uint32_t, 8> state{};
    std::memcpy(state.data(), start.data(), sizeof state);
    const std::string message = padded(bytes);
    for (std::size_t at = 0; at < message.size(); at += 64)
        compress(state, reinterpret_cast<const unsigned char *>(message.data()) + at, constants);
    std::string text;
    for (const std::uint32_t word : state)
        for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15];
    return text;
}

}  // namespace edgesr

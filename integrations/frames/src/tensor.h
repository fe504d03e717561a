#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"

namespace edgesr {

/* A stored array: row-major values of `size` bytes each. */
struct Tensor {
    std::vector<std::int64_t> shape;
    char kind = 'f'; /* f float, i integer with sign, u without */
    int size = 4;
    std::string bytes;

    /* How many values its shape has; Error for a shape that means nothing. */
    std::int64_t count() const {
        std::int64_t product = 1;
        for (const std::int64_t side : shape) {
            if (side < 0 || side > (1 << 24) || (product *= side) > (1 << 28))
                throw Error("an array of the bundle has a wrong shape: export the bundle again");
        }
        return product;
    }

    /* Its values, which must be `wanted` many of type T. */
    template <class T>
    std::vector<T> values(char wanted_kind, std::int64_t wanted) const {
        if (kind != wanted_kind || size != int(sizeof(T)) || count() != wanted ||
            bytes.size() != std::size_t(wanted) * sizeof(T))
            throw Error("an array of the bundle does not fit the network: export the bundle again");
        std::vector<T> result(static_cast<std::size_t>(wanted));
        std::memcpy(result.data(), bytes.data(), bytes.size());
        return result;
    }
};

}  // namespace edgesr

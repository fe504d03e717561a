// A lane's adjacent channels as float16 in memory: 4 are 8 bytes, 8 are 16.
#pragma once

#include "products.h"

namespace halves {

template <int tiles> struct Packed;
template <> struct Packed<4> {
    typedef Word4 Words;
};
template <> struct Packed<2> {
    typedef Word2 Words;
};

template <bool relu> DEVICE unsigned two(float even, float odd) {
    return relu ? gpu::positive_halves(even, odd) : gpu::halves(even, odd);
}
template <bool relu> DEVICE Word4 pack(const products::Channels<4> &v) {
    return {two<relu>(v.at[0], v.at[1]), two<relu>(v.at[2], v.at[3]), two<relu>(v.at[4], v.at[5]),
            two<relu>(v.at[6], v.at[7])};
}
template <bool relu> DEVICE Word2 pack(const products::Channels<2> &v) {
    return {two<relu>(v.at[0], v.at[1]), two<relu>(v.at[2], v.at[3])};
}

template <int tiles> DEVICE void add_pair(products::Channels<tiles> &v, int i, unsigned word) {
    v.at[2 * i] += gpu::low_half(word);
    v.at[2 * i + 1] += gpu::high_half(word);
}
DEVICE void add(products::Channels<4> &v, const Word4 &q) {
    add_pair(v, 0, q.x), add_pair(v, 1, q.y), add_pair(v, 2, q.z), add_pair(v, 3, q.w);
}
DEVICE void add(products::Channels<2> &v, const Word2 &q) { add_pair(v, 0, q.x), add_pair(v, 1, q.y); }

}  // namespace halves

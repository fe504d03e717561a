// Sine and cosine of a vector. The argument is reduced to [-pi/2, pi/2] around the nearest multiple of pi; there
// an odd polynomial of degree 9 is off by less than 2e-8, and its linear term being exact keeps small arguments exact.
#pragma once

namespace {

using Real = Vector::F;

constexpr float kInversePi = 0.318309886183790672f;
constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it leaves the integer in the low bits

inline Real less_multiple(Real x, Real n, float part) { return Vector::fma(n, Vector::broadcast(-part), x); }

// x - n * pi. A fused product keeps all bits of pi's leading part; elsewhere pi is split so that products are exact.
inline Real reduced(Real x, Real n) {
    if (Vector::fused) return less_multiple(less_multiple(x, n, 3.14159274f), n, -8.74227766e-8f);
    x = less_multiple(less_multiple(x, n, 3.140625f), n, 9.67502593994140625e-4f);
    return less_multiple(less_multiple(x, n, 1.509957990e-7f), n, 5.126e-12f);
}

inline Real odd_polynomial(Real r) {
    const Real z = Vector::mul(r, r);
    Real p = Vector::fma(z, Vector::broadcast(2.6000548132287804e-06f), Vector::broadcast(-1.9806614727713168e-04f));
    p = Vector::fma(z, p, Vector::broadcast(8.333017118275166e-03f));
    p = Vector::fma(z, p, Vector::broadcast(-1.6666656732559204e-01f));
    return Vector::fma(Vector::mul(r, z), p, r);
}

inline Real sine(Real x) {
    const Real rounder = Vector::broadcast(kRounder);
    const Real t = Vector::fma(x, Vector::broadcast(kInversePi), rounder);
    return Vector::flip(odd_polynomial(reduced(x, Vector::sub(t, rounder))), t);
}

// cos(r + (n + 1/2) pi) = -(-1)^n sin r
inline Real cosine(Real x) {
    const Real rounder = Vector::broadcast(kRounder);
    const Real half = Vector::broadcast(0.5f);
    const Real t = Vector::add(Vector::sub(Vector::mul(x, Vector::broadcast(kInversePi)), half), rounder);
    const Real r = reduced(x, Vector::add(Vector::sub(t, rounder), half));
    return Vector::flip(Vector::sub(Vector::broadcast(0.0f), odd_polynomial(r)), t);
}

}  // namespace

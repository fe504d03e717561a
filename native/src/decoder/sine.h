// Sine and cosine of vectors of half turns: sin(pi t). Weights carry the factor 1 / pi, so range reduction is one exact
// subtraction. On [-1/2, 1/2] the odd polynomial of degree 9 is off by less than 5e-9 before rounding.
#pragma once

namespace {

using Real = Vector::F;

constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits

// sin(pi r) for r in [-1/2, 1/2]
inline Real odd_polynomial(Real r) {
    const Real z = Vector::mul(r, r);
    Real p = Vector::fma(z, Vector::broadcast(0.0772201269865036f), Vector::broadcast(-0.5980451703071594f));
    p = Vector::fma(z, p, Vector::broadcast(2.5500314235687256f));
    p = Vector::fma(z, p, Vector::broadcast(-5.1677069664001465f));
    p = Vector::fma(z, p, Vector::broadcast(3.141592502593994f));
    return Vector::mul(p, r);
}

inline Real full_sine(Real t) {
    const Real rounder = Vector::broadcast(kRounder);
    const Real shifted = Vector::add(t, rounder);
    return Vector::flip(odd_polynomial(Vector::sub(t, Vector::sub(shifted, rounder))), shifted);
}

// cos(pi (n + 1/2 + r)) = -(-1)^n sin(pi r)
inline Real cosine(Real t) {
    const Real rounder = Vector::broadcast(kRounder);
    const Real half = Vector::broadcast(0.5f);
    const Real shifted = Vector::add(Vector::sub(t, half), rounder);
    const Real centre = Vector::add(Vector::sub(shifted, rounder), half);
    return Vector::flip(odd_polynomial(Vector::sub(centre, t)), shifted);
}

}  // namespace

// Sine and cosine of one argument in radians.
#pragma once

#include "arch/x86/training/tiles.h"

namespace {

struct SineAndCosine {
    Real sine, cosine;
};

// Polynomials of the half turn's remainder; both are off by less than 1e-6.
ESR_INLINE SineAndCosine sine_and_cosine(Real x) {
    const Real rounder = Vector::broadcast(12582912.0f);
    const Real t = Vector::mul(x, Vector::broadcast(0.318309886183790672f));
    const Real shifted = Vector::add(t, rounder);
    const Real r = Vector::sub(t, Vector::sub(shifted, rounder));
    const Real z = Vector::mul(r, r);
    Real s = Vector::fma(z, Vector::broadcast(0.0772201269865036f), Vector::broadcast(-0.5980451703071594f));
    s = Vector::fma(z, s, Vector::broadcast(2.5500314235687256f));
    s = Vector::fma(z, s, Vector::broadcast(-5.1677069664001465f));
    s = Vector::fma(z, s, Vector::broadcast(3.141592502593994f));
    Real c = Vector::fma(z, Vector::broadcast(-0.02580689f), Vector::broadcast(0.23533063f));
    c = Vector::fma(z, c, Vector::broadcast(-1.33526277f));
    c = Vector::fma(z, c, Vector::broadcast(4.05871213f));
    c = Vector::fma(z, c, Vector::broadcast(-4.93480220f));
    c = Vector::fma(z, c, Vector::broadcast(1.0f));
    return {Vector::flip(Vector::mul(s, r), shifted), Vector::flip(c, shifted)};
}

}  // namespace

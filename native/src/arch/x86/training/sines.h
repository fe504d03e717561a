// Sine and cosine of one argument in radians.
#pragma once

#include "arch/x86/training/tiles.h"
#include "decoder/sine.h"

namespace {

struct SineAndCosine {
    Real sine, cosine;
};

// Polynomials of the half turn's remainder; both are off by less than 1e-6.
ESR_INLINE SineAndCosine sine_and_cosine(Real x) {
    const Real rounder = Vector::broadcast(kRounder);
    const Real t = Vector::mul(x, Vector::broadcast(0.318309886183790672f));
    const Real shifted = Vector::add(t, rounder);
    const Real r = Vector::sub(t, Vector::sub(shifted, rounder));
    const Real z = Vector::mul(r, r);
    Real c = Vector::fma(z, Vector::broadcast(-0.02580689f), Vector::broadcast(0.23533063f));
    c = Vector::fma(z, c, Vector::broadcast(-1.33526277f));
    c = Vector::fma(z, c, Vector::broadcast(4.05871213f));
    c = Vector::fma(z, c, Vector::broadcast(-4.93480220f));
    c = Vector::fma(z, c, Vector::broadcast(1.0f));
    return {Vector::flip(odd_polynomial(r), shifted), Vector::flip(c, shifted)};
}

}  // namespace

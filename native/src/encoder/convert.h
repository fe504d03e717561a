// Rows of the residual stream in the format of a convolution.
#pragma once

#include "encoder/rows.h"

namespace {

void convert(const Convolution &c, const Strip &s) {
    constexpr int kWide = kGroup / 2;
    for (int row = 0; row < s.rows; ++row) {
        for (int channel = 0; channel < c.out_channels; channel += kWide)
            finish_of<false, kWide / kLanes>(c)(s.sum[row] + c.out_channels + channel, 0, s.width,
                                                target_of(c, s, row, 0, channel, c.out_channels));
        pad_row(c, s.width, s.out[row]);
    }
}

}  // namespace

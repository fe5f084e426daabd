// deform: portable arithmetic of convolution whose taps are moved by offsets.
#pragma once

#include "ops/convolution.h"

namespace compressor::ops {

/// DeformConv: x [N, C_in, s..], w, offset [N, groups taps n, places..], bias, mask [N, groups taps,
/// places..].
void compute_deform_conv(ComputeContext& ctx, const Convolution& which);

}  // namespace compressor::ops

// convolution: shapes, cost and channels of convolutions, for every operator that is one.
#pragma once

#include "ops/window.h"

namespace compressor::ops {

/// Which inputs are the weight [C_out, C_in/g, k..] and the bias [C_out]; the image is input 0.
struct Convolution {
  std::size_t w = 1;
  std::size_t b = 2;
};

/// [N, C_out, places..]; nullopt when no rank is known.
std::optional<SymDims> convolution_shape(const InferContext& ctx, const Convolution& which);
/// The survey's FLOPs: 2 H W (C_in/g K K + 1) C_out.
Cost convolution_cost(const CostContext& ctx, const Convolution& which);
void convolution_channels(ChannelContext& ctx, const Convolution& which);
/// Attribute `group` after the cut.
void convolution_shrink(ShrinkContext& ctx, const Convolution& which);

}  // namespace compressor::ops

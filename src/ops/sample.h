// sample: portable arithmetic of reading an image between its pixels.
#pragma once

#include "compressor/ops/op.h"

namespace compressor::ops {

/// x [N, C, s..] at the places of grid [N, o.., n] (innermost axis first, -1 to 1) -> [N, C, o..].
void compute_grid_sample(ComputeContext& ctx);
/// theta [N, n, n + 1], size [N, C, s..] -> grid [N, s.., n].
void compute_affine_grid(ComputeContext& ctx);

}  // namespace compressor::ops

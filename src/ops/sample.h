// sample: reading an image between its pixels, and the way back.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// x [N, C, s..] at the places of grid [N, o.., n] (innermost axis first, -1 to 1) -> [N, C, o..].
void compute_grid_sample(ComputeContext& ctx);
/// theta [N, n, n + 1], size [N, C, s..] -> grid [N, s.., n].
void compute_affine_grid(ComputeContext& ctx);

/// Of both inputs, which it reads; a place at a kink has the slope of one of its sides.
void grid_sample_gradient(GradientContext& ctx);
/// Of theta; reads the size.
void affine_grid_gradient(GradientContext& ctx);

}  // namespace compressor::ops

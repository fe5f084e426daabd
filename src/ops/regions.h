// regions: portable arithmetic of pooling regions of interest to one size.
#pragma once

#include "compressor/ops/op.h"

namespace compressor::ops {

/// x [N, C, H, W], regions [R, 5] as (image, x1, y1, x2, y2) -> [R, C, h, w]
void compute_max_roi_pool(ComputeContext& ctx);
/// x [N, C, H, W], regions [R, 4] as (x1, y1, x2, y2), images [R] -> [R, C, h, w]
void compute_roi_align(ComputeContext& ctx);

}  // namespace compressor::ops

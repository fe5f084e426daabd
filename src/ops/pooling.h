// pooling: portable arithmetic of sliding window pooling.
#pragma once

#include "compressor/ops/op.h"

namespace compressor::ops {

/// Input 0 [N, C, s..] -> output 0 [N, C, places..]; of MaxPool also the positions, where output 1 is asked
/// for.
void compute_max_pool(ComputeContext& ctx);
void compute_average_pool(ComputeContext& ctx);
/// (sum |x|^p)^(1/p)
void compute_lp_pool(ComputeContext& ctx);

}  // namespace compressor::ops

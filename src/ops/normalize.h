// normalize: portable arithmetic of normalisation: by the mean and variance of what lies together.
#pragma once

#include "compressor/ops/op.h"

namespace compressor::ops {

/// x [N, C, ..] at input 0, its channels in `groups` by the group's own mean and variance; scale and bias at
/// inputs 1 and 2, one a channel or one a group.
Tensor normalize_groups(const ComputeContext& ctx, std::int64_t groups, double epsilon);

/// x [d.., n..] at input 0 over axes `axis` and up, by mean and variance (`centred`) or by the root of the
/// mean square; scale and bias at inputs 1 and 2 broadcast to x. Outputs: y, then the mean (where centred)
/// and one by the deviation, as `stash`.
void normalize_last(ComputeContext& ctx, std::int64_t axis, bool centred, DType stash);

}  // namespace compressor::ops

// run_norm: normalisation by a sample's own moments in the engine: over its last axes, or by group of
// channels.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// LayerNormalization, RMSNormalization, SimplifiedLayerNormalization over axes `axis` and up; scale and bias
/// of as many numbers as are normalised.
bool run_layer_norm(RunContext& ctx, std::int64_t axis, bool centred, DType stash);
/// Reads inputs 0 and 1.
void layer_norm_gradient(GradientContext& ctx, std::int64_t axis, bool centred);

/// x + skip + bias, then that; com.microsoft.
bool run_skip_norm(RunContext& ctx, bool centred);
/// Reads inputs 0 to 2 and the bias, the last one.
void skip_norm_gradient(GradientContext& ctx, bool centred);

/// InstanceNormalization and GroupNormalization; scale and bias one a channel or one a group.
bool run_group_norm(RunContext& ctx, std::int64_t groups);
/// Reads inputs 0 and 1.
void group_norm_gradient(GradientContext& ctx, std::int64_t groups);

}  // namespace compressor::ops

// reestimate: after rounding, what convolutions give has the mean and the deviation again that it had in
// float.
#pragma once

#include "compressor/analysis/statistics.h"
#include "compressor/pass/pass.h"

namespace compressor::quantize {

/// Batch norm re-estimation for norms that were folded: each Conv of `after` with a quantized weight and
/// bias, one after the other in the order of the graph, those before it quantized and matched already:
///   s_w' = r s_w,  b' = r (b - mean_q) + mean_f,  r = dev_f / dev_q   by output channel
/// Codes of weights stay, so that it costs nothing in the file. Runs the part of the net up to each of them.
/// `before`: the same model in float; nodes are found by their ids.
void reestimate(const Model& before, Model& after, const Samples& samples, PassContext& context);

}  // namespace compressor::quantize

// run_softmax: Softmax and LogSoftmax in the engine, in whatever order the elements lie.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// Distributions over the axes [first, last) of input 0.
bool run_softmax(RunContext& ctx, std::int64_t first, std::int64_t last);
/// Reads output 0.
void softmax_gradient(GradientContext& ctx, std::int64_t first, std::int64_t last);

}  // namespace compressor::ops

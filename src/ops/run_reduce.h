// run_reduce: sums and means in the engine, whatever order the elements lie in, and the gradients of
// reductions.
#pragma once

#include <string_view>
#include <vector>

#include "compressor/ops/run.h"

namespace compressor::ops {

/// ReduceSum and ReduceMean of float32 over the axes that are `gone`; `shape` is the output's.
bool run_reduce(RunContext& ctx, const std::vector<bool>& gone, const Dims& shape);
/// Is there a gradient for that operator?
bool has_reduce_gradient(std::string_view type);
Keep reduce_keep(std::string_view type);
/// Where several elements are the largest they share the gradient.
void reduce_gradient(GradientContext& ctx, const std::vector<bool>& gone);

}  // namespace compressor::ops

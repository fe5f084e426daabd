// run_scatter: gradients of operators that put updates into a tensor by index.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// ScatterND and ScatterElements that replace or add; they read input 1, the indices. Where several updates
/// meet in one place and replace, the last one is what stays.
void scatter_nd_gradient(GradientContext& ctx);
void scatter_elements_gradient(GradientContext& ctx);

}  // namespace compressor::ops

// run_convolution: Conv in the engine, forward and backward.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

bool run_convolution(RunContext& ctx);
/// Reads inputs 0 and 1.
void convolution_gradient(GradientContext& ctx);

}  // namespace compressor::ops

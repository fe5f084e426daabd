// run_convolution: Conv in the engine, forward and backward.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

bool run_convolution(RunContext& ctx);
/// The same with what the node itself says is done behind it; `add` is an input of its own.
bool run_convolution_with(RunContext& ctx, const Epilogue& epilogue);
/// Reads inputs 0 and 1.
void convolution_gradient(GradientContext& ctx);

}  // namespace compressor::ops

// run_pad: Pad in the engine, in the order in which its input lies, and its gradient.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

bool run_pad(RunContext& ctx);
void pad_gradient(GradientContext& ctx);

}  // namespace compressor::ops

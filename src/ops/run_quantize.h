// run_quantize: QuantizeLinear and DequantizeLinear of 8-bit codes in the engine, by tensor or by axis.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// `type` is that of the codes.
bool run_quantize(RunContext& ctx, DType type);
bool run_dequantize(RunContext& ctx);

}  // namespace compressor::ops

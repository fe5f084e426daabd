// quantize_gradient: gradients of QuantizeLinear and DequantizeLinear, straight through the rounding.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// q = clip(round(x / s) + z), straight through: dx = dq / s and ds = -dq x / s^2 where nothing was clipped,
/// nothing elsewhere. With DequantizeLinear behind it, that is the gradient of learned step sizes (Esser et
/// al. 2020, 1902.08153).
void quantize_gradient(GradientContext& ctx);

/// y = (q - z) s: dq = dy s, ds = sum dy (q - z).
void dequantize_gradient(GradientContext& ctx);

}  // namespace compressor::ops

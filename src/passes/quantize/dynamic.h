// dynamic: products whose input gets its scale while the model runs.
#pragma once

#include "compressor/pass/pass.h"
#include "passes/quantize/static_qdq.h"

namespace compressor::quantize {

/// Rewrites MatMul and Gemm with a constant matrix into integer products, bodies included. Throws
/// Error::target when there is none.
void quantize_dynamic(Model& model, const StaticOptions& options, PassContext& context);

}  // namespace compressor::quantize

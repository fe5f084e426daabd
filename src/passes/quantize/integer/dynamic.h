// dynamic: products whose input gets its scale while the model runs.
#pragma once

#include "compressor/pass/pass.h"
#include "passes/quantize/integer/static_qdq.h"

namespace compressor::quantize {

/// What is quantized besides MatMul and Gemm with a constant matrix, and LSTM where the target knows its
/// form.
struct DynamicOptions {
  bool convolutions = false;
  bool activations = false;  ///< MatMul of two activations
};

/// Rewrites products into integer products, bodies included. Throws Error::target when there is none.
void quantize_dynamic(Model& model, const StaticOptions& options, const DynamicOptions& which,
                      PassContext& context);

}  // namespace compressor::quantize

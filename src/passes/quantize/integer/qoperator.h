// qoperator: a graph of QuantizeLinear and DequantizeLinear with its operators on codes instead.
#pragma once

#include "compressor/pass/pass.h"
#include "passes/quantize/targets.h"

namespace compressor::quantize {

/// Puts integer operators in the place of DequantizeLinear -> operator -> QuantizeLinear in the main graph of
/// a statically quantized model of opset 13 or later. Operators of com.microsoft only where the target knows
/// them; what has no integer operator keeps its pairs, and a note of `context` says which and why.
void to_qoperator(Model& model, const Target& target, PassContext& context);

}  // namespace compressor::quantize

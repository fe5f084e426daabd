// high_biases: what a channel always holds moves into the bias of what reads it.
//
//   Conv(W1, b1) -> Relu -> Conv(W2, b2)   ==>   Conv(W1, b1 - c) -> Relu -> Conv(W2, b2 + W2 c)
//
// With c = max(0, mean - 3 deviations) of the channel before Relu (Nagel et al. 2019, 1906.04721,
// section 4.1.3): Relu(z) = Relu(z - c) + c wherever z >= c, which is 99.87 % of a normal channel; the
// activation spans c less.
#pragma once

#include "passes/quantize/channels/moments.h"

namespace compressor::quantize {

/// In a model whose norms are folded; `moments` are followed. Only where every reader is a Conv without
/// padding (zeros at the edges would not hold c) or a Gemm, with weight and bias constant. What was moved,
/// and what could not be, is recorded in `context`; the number of channels.
std::int64_t absorb_high_biases(Model& model, Moments& moments, PassContext& context);

}  // namespace compressor::quantize

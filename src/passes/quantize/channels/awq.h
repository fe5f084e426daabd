// awq: factors by channel that keep what loud inputs meet in weights of few bits (Lin et al. 2023,
// 2306.00978).
//
//   norm(gamma) -> MatMul(W)   ==>   norm(gamma / s) -> MatMul(s W),   s = mean|x|^a
//
// A channel that is loud on average has its weights multiplied, so that their rounding is finer against what
// they say; what makes the channel takes the factor back, exactly in float. Of a = 0, 1/20, .. 1 each set of
// channels that are read together gets that with which its layers' outputs change least, the weights on the
// grid that they will be stored on.
#pragma once

#include <functional>

#include "passes/quantize/weight_only.h"

namespace compressor::quantize {

/// How the weight that a node reads will be stored.
using StorageOf = std::function<WeightOnlyOptions(const Node&)>;

/// Changes weights, biases and norms so that the model computes the same up to rounding. Inputs are measured
/// on `samples` in as many passes as `max_memory` (bytes of second moments held at once; 0: a gigabyte) asks
/// for. What was scaled, and for every other layer why it was not, is recorded in `context`.
void scale_for_weights(Model& model, const Samples& samples, const StorageOf& storage_of,
                       std::uint64_t max_memory, PassContext& context);

}  // namespace compressor::quantize

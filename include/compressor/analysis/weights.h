// weights: the constants a model stores, each once, and which of them count as parameters.
#pragma once

#include <cstdint>
#include <vector>

#include "compressor/graph/model.h"

namespace compressor {

/// A constant of the model: an initializer, the tensor of a Constant node, or (generated) a ConstantOfShape
/// with a constant shape that feeds a weight input.
struct Weight {
  const Value* value = nullptr;
  const Node* reader = nullptr;  ///< the first node that reads it, or null
  std::size_t input = 0;         ///< at which of the reader's inputs
  DType dtype = DType::kUndefined;
  std::uint64_t elements = 0;  ///< numbers: of packed bytes those that are in them
  std::uint64_t bytes = 0;     ///< packed; what it takes in memory, also for a generated one
  bool generated = false;      ///< not stored in the file
  bool parameter = false;
};

/// All constants in the order of the graphs; bodies and functions included. A constant that several nodes
/// read is listed once.
///
/// Parameters are: tensors of a float type of any rank, integers of at most 8 bits with rank >= 1 (quantized
/// weights), and int32 biases of quantized operators. Not parameters: what only says a shape, an index, a pad
/// or a scale factor of Resize/Upsample, and every other integer tensor.
std::vector<Weight> weights(const Model& model);

}  // namespace compressor

// prunable: the constant weights of a model in which single values may be set to zero.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compressor/pass/pass.h"

namespace compressor::prune {

/// How an operator reads a weight, in the order of its memory: [batch, a, b, inner].
///   Conv              [groups, C_out/g, C_in/g, taps]
///   ConvTranspose     [groups, C_in/g, C_out/g, taps]
///   Gemm, MatMul      [stack of matrices, inputs, outputs, 1] or transposed
///   LSTM, GRU, RNN    [directions x gates, hidden, inputs, 1]
///   Gather            [1, rows, columns, 1]
struct WeightLayout {
  std::uint64_t batch = 1, a = 1, b = 1, inner = 1;
  bool a_is_output = true;  ///< a counts outputs and b inputs; or the other way round
  std::uint64_t inputs() const { return a_is_output ? b : a; }
  std::uint64_t outputs() const { return a_is_output ? a : b; }
  bool operator==(const WeightLayout&) const = default;
};

struct Reader {
  const Node* node = nullptr;
  std::size_t input = 0;
};

/// A weight and all the nodes that read it as one.
struct PrunableWeight {
  const Value* source = nullptr;  ///< the initializer, or the output of the Constant node
  Tensor tensor;
  std::vector<Reader> readers;
  /// Missing when the readers see it through a Reshape, or not alike; then `no_layout` says why.
  std::optional<WeightLayout> layout;
  std::string no_layout;
  std::string convolution;  ///< "depthwise" or "1x1" where single kernels make no sense, else empty
};

struct PrunableOptions {
  std::uint64_t min_size = 0;
  bool embeddings = false;
};

/// The weights of Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU, RNN (and Gather) in the order of their first
/// readers, bodies included; of type float, float16, bfloat16 or double and rank 2 or more. Constants are
/// followed through Identity, Cast, Transpose and changes of shape. What has a weight that cannot be pruned
/// is skipped in `context` with the reason, and so is what its filter leaves out.
std::vector<PrunableWeight> find_prunable(const Model& model, const PrunableOptions& options,
                                          PassContext& context);

}  // namespace compressor::prune

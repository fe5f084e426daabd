// layer_input: the matrix that a layer's weight is multiplied with, block by block.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "compressor/graph/graph.h"

namespace compressor::ops {

/// How long a row of the weight is, and how many groups have inputs of their own.
struct LayerRow {
  std::int64_t k = 0;
  std::int64_t groups = 1;
};
/// Conv: K = C_in / groups * kernel, in the order of a weight's row. Gemm and MatMul with a weight at input
/// 1: the contracted axis. Nullopt for other operators. `weight`: its shape.
std::optional<LayerRow> layer_row(const Node& node, const Dims& weight);

/// n columns of X [K, n] of one group.
struct InputBlock {
  std::int64_t group = 0;
  std::int64_t n = 0;
  const float* data = nullptr;
  bool transposed = false;  ///< data is [n, K] instead
};
/// A part of X: of each sample (index of the first axis) so many columns that follow each other, from a place
/// that `seed` and the sample choose, every one as likely.
struct Excerpt {
  std::int64_t columns = 0;  ///< 0: all
  std::uint64_t seed = 0;
};
/// Visits X for input 0 of the node (float32, plain order). A few megabytes at a time.
void each_input_block(const Node& node, const Tensor& x, const Dims& weight,
                      const std::function<void(const InputBlock&)>& visit, const Excerpt& excerpt = {});

}  // namespace compressor::ops

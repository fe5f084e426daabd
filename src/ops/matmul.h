// matmul: shapes, cost and channels of matrix products, for every operator that is one.
#pragma once

#include "compressor/ops/channels.h"
#include "compressor/ops/op.h"

namespace compressor::ops {

/// Which inputs are multiplied, and which of them are transposed in their last two axes.
struct Product {
  std::size_t a = 0;
  std::size_t b = 1;
  bool trans_a = false;
  bool trans_b = false;
};

/// numpy's matmul: 1-D operands are a row and a column, leading axes broadcast. nullopt when a rank is
/// unknown.
std::optional<SymDims> product_shape(const InferContext& ctx, const Product& product);
Cost product_cost(const CostContext& ctx, const Product& product);
/// Contracted axes join, batch axes join where both have them, the rest passes to output 0.
void product_channels(ChannelContext& ctx, const Product& product);

}  // namespace compressor::ops

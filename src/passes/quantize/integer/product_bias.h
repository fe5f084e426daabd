// product_bias: biases of products where integer kernels find them.
#pragma once

#include "compressor/graph/model.h"

namespace compressor::quantize {

/// In the main graph and in bodies, for a constant matrix W [K, N] and a constant b [N] that is added to
/// nothing but the product:
///   x [M, K] -> MatMul(W) -> Add(b)       ==>   x -> Gemm(W, b)
///   x [.., M, K] -> MatMul(W) -> Add(b)   ==>   x -> MatMul(W) -> Add(b [1, .., 1, N])
/// Results keep their names. Returns how many Gemm there are more.
std::int64_t place_product_biases(Model& model);

}  // namespace compressor::quantize

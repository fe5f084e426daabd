// multiply: matrix products of tensors, as numpy takes them.
#pragma once

#include "ops/product_plan.h"

namespace compressor::ops {

/// alpha a b, of a's type; matrices of an operand are transposed where asked. Batch axes broadcast.
Tensor multiply(const ComputeContext& ctx, const Tensor& a, const Tensor& b, bool trans_a = false,
                bool trans_b = false, double alpha = 1);
/// alpha a' b' + beta c for inputs 0, 1, 2 of rank 2 and the attributes of Gemm.
Tensor gemm(const ComputeContext& ctx);

}  // namespace compressor::ops

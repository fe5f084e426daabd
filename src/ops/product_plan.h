// product_plan: numpy's matrix product of operands whose shapes are numbers: which matrix meets which.
#pragma once

#include <cstdint>
#include <vector>

#include "compressor/ops/op.h"

namespace compressor::ops {

/// For every matrix [m, n] of the output the matrices [m, k] and [k, n] that it is the product of.
struct ProductPlan {
  struct Pair {
    std::int64_t a, b;  ///< counted in matrices
  };
  Dims shape;  ///< of the output
  std::int64_t m = 1, n = 1, k = 0;
  std::vector<Pair> pairs;
};

/// Operands as they are multiplied, transpositions undone. Fails where they do not fit.
ProductPlan plan_product(const ComputeContext& ctx, const Dims& a, const Dims& b);

}  // namespace compressor::ops

// integer_matrix: operands of 8-bit matrix products, less their zero points and laid so that rows meet rows.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/product_plan.h"

namespace compressor::ops {

/// The left operand [.., m, k] at input i. The zero point at input `zero_at` is one number, one per row of
/// every matrix, or one per row of all.
std::vector<std::int16_t> left_rows(const ComputeContext& ctx, std::size_t i, std::size_t zero_at);
/// The right operand [.., k, n] at input i as [.., n, k]; one zero point, one per column of every matrix, or
/// of all. `transposed`: it is [.., n, k] already.
std::vector<std::int16_t> right_columns(const ComputeContext& ctx, std::size_t i, std::size_t zero_at,
                                        bool transposed = false);
/// [batch.., m, n]
std::vector<std::int32_t> integer_products(const ProductPlan& plan, const std::vector<std::int16_t>& a,
                                           const std::vector<std::int16_t>& b);

/// A number for each row (of all matrices), or for each column: one for all, one per row of every matrix, or
/// one per row of all.
class PerLine {
 public:
  /// The scales at input i, for an operand with `lines` rows or columns in each of its matrices.
  PerLine(const ComputeContext& ctx, std::size_t i, std::int64_t lines);
  /// Those of one matrix of the operand: [lines], or one.
  float at(std::int64_t matrix, std::int64_t line) const {
    if (values_.size() == 1) return values_[0];
    const std::int64_t all = matrix * lines_ + line;
    return values_[static_cast<std::size_t>(all) % values_.size()];
  }
  bool is_one() const { return values_.size() == 1; }

 private:
  std::vector<float> values_;
  std::int64_t lines_;
};

}  // namespace compressor::ops

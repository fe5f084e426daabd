// integer_matrix: zero points taken off, columns made rows.
#include "ops/integer_matrix.h"

#include <algorithm>

#include "compressor/kernels/integer_product.h"
#include "ops/quantized.h"

namespace compressor::ops {
namespace {

/// [k, n] -> [n, k] in pieces that stay in the cache.
void transpose(const std::int16_t* from, std::int64_t k, std::int64_t n, std::int16_t* to) {
  constexpr std::int64_t kTile = 32;
  for (std::int64_t t0 = 0; t0 < k; t0 += kTile) {
    const std::int64_t t1 = std::min(k, t0 + kTile);
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t t = t0; t < t1; ++t) to[j * k + t] = from[t * n + j];
    }
  }
}

/// One zero point, or as many as divide the operand's lines evenly.
std::vector<std::int32_t> line_zeros(const ComputeContext& ctx, std::size_t zero_at, std::int64_t lines,
                                     std::int64_t all) {
  if (!ctx.has(zero_at)) return {0};
  const auto n = static_cast<std::int64_t>(ctx.in(zero_at).size());
  if (n != 1 && n != lines && n != all) {
    ctx.fail("input {} has {} zero points, expected 1 or {}", zero_at, n, lines);
  }
  return zero_points(ctx, zero_at, n);
}

}  // namespace

std::vector<std::int16_t> left_rows(const ComputeContext& ctx, std::size_t i, std::size_t zero_at) {
  const Dims& shape = ctx.in(i).shape;
  const std::int64_t k = shape.back();
  const std::int64_t m = shape.size() == 1 ? 1 : shape[shape.size() - 2];
  const auto size = static_cast<std::int64_t>(num_elements(shape));
  if (size == 0) return {};
  const std::vector<std::int32_t> zeros = line_zeros(ctx, zero_at, m, size / k);
  return less_zeros(ctx, i, zeros, zeros.size() == 1 ? size : k);
}

std::vector<std::int16_t> right_columns(const ComputeContext& ctx, std::size_t i, std::size_t zero_at,
                                        bool transposed) {
  const Dims& shape = ctx.in(i).shape;
  const bool vector = shape.size() == 1;
  std::int64_t k = vector ? shape[0] : shape[shape.size() - 2];
  std::int64_t n = vector ? 1 : shape.back();
  if (transposed && !vector) std::swap(k, n);
  const auto size = static_cast<std::int64_t>(num_elements(shape));
  if (size == 0) return {};
  const std::vector<std::int32_t> zeros = line_zeros(ctx, zero_at, n, size / k);
  std::vector<std::int16_t> columns = less_zero(ctx, i, zeros.size() == 1 ? zeros[0] : 0);
  if (!transposed && n > 1) {
    std::vector<std::int16_t> turned(columns.size());
    for (std::int64_t at = 0; at < size; at += k * n)
      transpose(columns.data() + at, k, n, turned.data() + at);
    columns = std::move(turned);
  }
  if (zeros.size() == 1) return columns;
  for (std::int64_t line = 0; line < size / k; ++line) {
    const std::int32_t zero = zeros[static_cast<std::size_t>(line) % zeros.size()];
    for (std::int64_t t = line * k; t < (line + 1) * k; ++t) {
      auto& v = columns[static_cast<std::size_t>(t)];
      v = static_cast<std::int16_t>(v - zero);
    }
  }
  return columns;
}

std::vector<std::int32_t> integer_products(const ProductPlan& plan, const std::vector<std::int16_t>& a,
                                           const std::vector<std::int16_t>& b) {
  const std::int64_t size = plan.m * plan.n;
  std::vector<std::int32_t> c(plan.pairs.size() * static_cast<std::size_t>(size));
  if (size == 0 || plan.k == 0) return c;
  std::int32_t* to = c.data();
  for (const ProductPlan::Pair& pair : plan.pairs) {
    kernels::integer_product(a.data() + pair.a * plan.m * plan.k, b.data() + pair.b * plan.n * plan.k, to,
                             plan.m, plan.n, plan.k);
    to += size;
  }
  return c;
}

PerLine::PerLine(const ComputeContext& ctx, std::size_t i, std::int64_t lines)
    : values_(to_floats(ctx.in(i))), lines_(lines) {
  const auto n = static_cast<std::int64_t>(values_.size());
  if (n == 0 || (n != 1 && n % lines != 0)) ctx.fail("input {} has {} scales, expected 1 or {}", i, n, lines);
}

}  // namespace compressor::ops

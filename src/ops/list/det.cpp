// det: Det, determinants of square matrices by elimination.
#include <cmath>

#include "ops/movement.h"

namespace compressor::ops {
namespace {

double determinant(std::vector<double> a, std::int64_t n) {
  double det = 1;
  const auto at = [&](std::int64_t r, std::int64_t c) -> double& {
    return a[static_cast<std::size_t>(r * n + c)];
  };
  for (std::int64_t k = 0; k < n; ++k) {
    std::int64_t pivot = k;
    for (std::int64_t r = k + 1; r < n; ++r) {
      if (std::fabs(at(r, k)) > std::fabs(at(pivot, k))) pivot = r;
    }
    if (at(pivot, k) == 0) return 0;
    if (pivot != k) {
      for (std::int64_t c = 0; c < n; ++c) std::swap(at(pivot, c), at(k, c));
      det = -det;
    }
    det *= at(k, k);
    for (std::int64_t r = k + 1; r < n; ++r) {
      const double f = at(r, k) / at(k, k);
      for (std::int64_t c = k; c < n; ++c) at(r, c) -= f * at(k, c);
    }
  }
  return det;
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 2 || x.shape.back() != x.shape[x.shape.size() - 2]) {
    ctx.fail("input of shape {}, expected square matrices", to_string(x.shape));
  }
  const std::int64_t n = x.shape.back();
  const std::vector<double> all = to_doubles(x);
  std::vector<double> out;
  const Dims shape(x.shape.begin(), x.shape.end() - 2);
  for (std::uint64_t m = 0; m < num_elements(shape); ++m) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(m) * n * n;
    out.push_back(determinant({first, first + n * n}, n));
  }
  ctx.set(0, Tensor::of(x.dtype, shape, out));
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  if (x.rank() < 2) ctx.fail("input of rank {}, expected at least 2", x.rank());
  ctx.set(0, x.dtype, {x.dims.begin(), x.dims.end() - 2});
}

/// Elimination: n^3 / 3 multiplications and as many subtractions per matrix.
Cost cost(const CostContext& ctx) {
  const std::vector<double> dims = ctx.in(0);
  const double n = dims.empty() ? 0 : dims.back();
  return {0, 2.0 / 3.0 * n * n * n * ctx.out_size(0)};
}

}  // namespace

void register_det(OpTable& table) {
  table.add({.type = "Det", .since = 11, .infer = infer, .cost = cost, .compute = compute});
}

}  // namespace compressor::ops

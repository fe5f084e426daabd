// multiply: batches of products, cut into tasks.
#include "ops/multiply.h"

#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "ops/elements.h"
#include "ops/product.h"
#include "ops/real.h"
#include "ops/strided.h"

namespace compressor::ops {
namespace {

/// The last two axes change places.
Tensor swapped(const ComputeContext& ctx, const Tensor& x) {
  if (x.rank() < 2) ctx.fail("an operand of rank {} cannot be transposed", x.rank());
  Dims shape = x.shape;
  Strides strides = row_major(shape);
  std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  std::swap(strides[shape.size() - 1], strides[shape.size() - 2]);
  return take_strided(x, shape, strides);
}

/// c += a b for all matrices. Tasks are rows, or columns where there are few rows; no sum is cut.
template <class T>
void multiply_all(const ProductPlan& plan, const T* a, const T* b, T* c) {
  constexpr std::int64_t kRows = 64;
  constexpr std::int64_t kColumns = 256;
  const bool by_rows = plan.m >= kRows;
  const std::int64_t cuts = by_rows ? (plan.m + kRows - 1) / kRows : (plan.n + kColumns - 1) / kColumns;
  const std::int64_t tasks = static_cast<std::int64_t>(plan.pairs.size()) * cuts;
  [[maybe_unused]] const bool large = tasks > 1 && tasks * plan.k * plan.m * plan.n / cuts > kParallelWork;
  kernels::in_parallel(large, tasks, [&](std::int64_t i) {
    const ProductPlan::Pair pair = plan.pairs[static_cast<std::size_t>(i / cuts)];
    const std::int64_t row = by_rows ? i % cuts * kRows : 0;
    const std::int64_t column = by_rows ? 0 : i % cuts * kColumns;
    add_product(by_rows ? std::min(kRows, plan.m - row) : plan.m,
                by_rows ? plan.n : std::min(kColumns, plan.n - column), plan.k,
                a + pair.a * plan.m * plan.k + row * plan.k, plan.k, b + pair.b * plan.k * plan.n + column,
                plan.n, c + i / cuts * plan.m * plan.n + row * plan.n + column, plan.n);
  });
}

template <class T>
Result<T> product_of(const ProductPlan& plan, DType type, const Tensor& a, const Tensor& b, T alpha) {
  const Elements<T> x(a);
  const Elements<T> y(b);
  Result<T> out(type, plan.shape);
  multiply_all(plan, x.data(), y.data(), out.data());
  if (alpha != T{1}) {
    for (T& v : out.span()) v *= alpha;
  }
  return out;
}

}  // namespace

Tensor multiply(const ComputeContext& ctx, const Tensor& a, const Tensor& b, bool trans_a, bool trans_b,
                double alpha) {
  const Tensor left = trans_a ? swapped(ctx, a) : a;
  const Tensor right = trans_b ? swapped(ctx, b) : b;
  const ProductPlan plan = plan_product(ctx, left.shape, right.shape);
  if (!is_float(a.dtype)) {
    if (alpha != 1) ctx.fail("alpha is {}, expected 1 for {}", alpha, name(a.dtype));
    return product_of<std::int64_t>(plan, a.dtype, left, right, 1).finish();
  }
  Tensor result;
  with_real(ctx, a.dtype, [&]<class T>(T) {
    result = product_of<T>(plan, a.dtype, left, right, static_cast<T>(alpha)).finish();
  });
  return result;
}

Tensor gemm(const ComputeContext& ctx) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (ctx.in(i).rank() != 2) ctx.fail("operand {} has rank {}, expected 2", i, ctx.in(i).rank());
  }
  const bool trans_a = ctx.node().int_or("transA", 0) != 0;
  const bool trans_b = ctx.node().int_or("transB", 0) != 0;
  const Tensor a = trans_a ? swapped(ctx, ctx.in(0)) : ctx.in(0);
  const Tensor b = trans_b ? swapped(ctx, ctx.in(1)) : ctx.in(1);
  const ProductPlan plan = plan_product(ctx, a.shape, b.shape);
  const double alpha = ctx.node().float_or("alpha", 1);
  const double beta = ctx.node().float_or("beta", 1);
  if (ctx.has(2) && broadcast_shape(ctx.in(2).shape, plan.shape) != plan.shape) {
    ctx.fail("C is {}, expected to broadcast to {}", to_string(ctx.in(2).shape), to_string(plan.shape));
  }
  Tensor result;
  const auto in_type = [&]<class T>(T) {
    Result<T> y = product_of<T>(plan, a.dtype, a, b, static_cast<T>(alpha));
    if (ctx.has(2)) {
      const Elements<T> c(ctx.in(2));
      walk<1>(plan.shape, {broadcast_strides(ctx.in(2).shape, plan.shape)}, {0}, [&](const Run<1>& run) {
        for (std::int64_t i = 0; i < run.count; ++i) {
          y[run.out + i] += static_cast<T>(beta) * c[run.at[0] + i * run.step[0]];
        }
      });
    }
    result = y.finish();
  };
  if (is_float(a.dtype)) {
    with_real(ctx, a.dtype, in_type);
  } else {
    in_type(std::int64_t{});
  }
  return result;
}

}  // namespace compressor::ops

// matmul: what all matrix products share.
#include "ops/matmul.h"

#include <algorithm>

#include "ops/expect.h"

namespace compressor::ops {
namespace {

/// Where the rows, columns and batch axes of an operand are; -1 where it has none.
struct Axes {
  std::int64_t outer = -1;  ///< passes to the output
  std::int64_t inner = -1;  ///< contracted
  std::int64_t batch = 0;   ///< number of leading batch axes
};

Axes axes_of(std::int64_t rank, bool is_left, bool transposed) {
  if (rank == 1) return {-1, 0, 0};
  const bool inner_last = is_left != transposed;
  return {rank - (inner_last ? 2 : 1), rank - (inner_last ? 1 : 2), rank - 2};
}

}  // namespace

std::optional<SymDims> product_shape(const InferContext& ctx, const Product& product) {
  const Facts& a = ctx.in(product.a);
  const Facts& b = ctx.in(product.b);
  expect_rank(ctx, a, "left operand", 1);
  expect_rank(ctx, b, "right operand", 1);
  if (!a.ranked || !b.ranked) return std::nullopt;
  const Axes left = axes_of(a.rank(), true, product.trans_a);
  const Axes right = axes_of(b.rank(), false, product.trans_b);
  const SymDim& k = a.dim(left.inner);
  const SymDim& l = b.dim(right.inner);
  if (k.is_number() && l.is_number() && !(k == l)) {
    ctx.fail("left operand {} has {} columns, right operand {} has {} rows", to_string(a.dims), k.number(),
             to_string(b.dims), l.number());
  }
  SymDims shape = broadcast(ctx, SymDims(a.dims.begin(), a.dims.begin() + left.batch),
                            SymDims(b.dims.begin(), b.dims.begin() + right.batch));
  if (left.outer >= 0) shape.push_back(a.dim(left.outer));
  if (right.outer >= 0) shape.push_back(b.dim(right.outer));
  return shape;
}

// The survey: (2 I - 1) for each of the outputs.
Cost product_cost(const CostContext& ctx, const Product& product) {
  const std::vector<double> a = ctx.in(product.a);
  const double places = ctx.out_size(0);
  if (!ctx.ok() || a.empty()) return {};
  const auto rank = static_cast<std::int64_t>(a.size());
  const double inner = a[static_cast<std::size_t>(axes_of(rank, true, product.trans_a).inner)];
  return {.macs = places * inner, .flops = places * std::max(0.0, 2 * inner - 1)};
}

void product_channels(ChannelContext& ctx, const Product& product) {
  const Facts& a = ctx.in(product.a);
  const Facts& b = ctx.in(product.b);
  if (!a.ranked || !b.ranked) return ctx.freeze_all("product of operands of unknown rank");
  const Axes left = axes_of(a.rank(), true, product.trans_a);
  const Axes right = axes_of(b.rank(), false, product.trans_b);
  ctx.join(ctx.in_list(product.a, left.inner), ctx.in_list(product.b, right.inner));
  ctx.role(product.a, left.inner, AxisRole::kConsumer);
  ctx.role(product.b, right.inner, AxisRole::kConsumer);
  std::int64_t out = std::max(left.batch, right.batch);
  for (std::int64_t k = 1; k <= out; ++k) {
    const bool in_a = k <= left.batch && !(a.dim(left.batch - k) == SymDim(1));
    const bool in_b = k <= right.batch && !(b.dim(right.batch - k) == SymDim(1));
    if (in_a && in_b)
      ctx.join(ctx.in_list(product.a, left.batch - k), ctx.in_list(product.b, right.batch - k));
    if (in_a) ctx.pass(product.a, left.batch - k, 0, out - k);
    if (in_b && !in_a) ctx.pass(product.b, right.batch - k, 0, out - k);
  }
  if (left.outer >= 0) {
    ctx.pass(product.a, left.outer, 0, out++);
    ctx.role(product.a, left.outer, AxisRole::kProducer);
  }
  if (right.outer >= 0) {
    ctx.pass(product.b, right.outer, 0, out);
    ctx.role(product.b, right.outer, AxisRole::kProducer);
  }
}

}  // namespace compressor::ops

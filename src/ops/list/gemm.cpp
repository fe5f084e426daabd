// Gemm: alpha A' B' + beta C; com.microsoft's FusedGemm is one with an activation behind it.
#include "ops/expect.h"
#include "ops/matmul.h"

namespace compressor::ops {
namespace {

Product product(const Node& node) {
  return {.a = 0, .b = 1, .trans_a = node.int_or("transA", 0) != 0, .trans_b = node.int_or("transB", 0) != 0};
}

// a [M, K], b [K, N], c broadcast to [M, N]
void infer(InferContext& ctx) {
  expect_rank(ctx, ctx.in(0), "A", 2, 2);
  expect_rank(ctx, ctx.in(1), "B", 2, 2);
  const DType dtype = ctx.in(0).dtype;
  const auto shape = product_shape(ctx, product(ctx.node()));
  if (!shape) {
    SymDims y(2);
    const Product p = product(ctx.node());
    if (ctx.in(0).ranked) y[0] = ctx.in(0).dims[p.trans_a ? 1 : 0];
    if (ctx.in(1).ranked) y[1] = ctx.in(1).dims[p.trans_b ? 0 : 1];
    return ctx.set(0, dtype, std::move(y));
  }
  if (ctx.has(2) && ctx.in(2).ranked) {
    const SymDims& c = ctx.in(2).dims;
    expect_rank(ctx, ctx.in(2), "C", 0, 2);
    for (std::size_t i = 1; i <= c.size(); ++i) {
      const SymDim& d = c[c.size() - i];
      const SymDim& y = (*shape)[2 - i];
      if (d.is_number() && d.number() != 1 && y.is_number() && !(d == y)) {
        ctx.fail("C is {}, expected to broadcast to {}", to_string(c), to_string(*shape));
      }
    }
  }
  ctx.set(0, dtype, *shape);
}

Cost cost(const CostContext& ctx) {
  return product_cost(ctx, product(ctx.node()));
}

void channels(ChannelContext& ctx) {
  const Product p = product(ctx.node());
  product_channels(ctx, p);
  if (!ctx.has(2)) return;
  const Places outer[] = {ctx.in_list(0, p.trans_a ? 1 : 0), ctx.in_list(1, p.trans_b ? 0 : 1)};
  for (std::int64_t i = 1; i <= ctx.in(2).rank(); ++i) {
    if (ctx.in_dim(2, -i) == 1) continue;
    ctx.join(outer[2 - i], ctx.in_list(2, -i));
    ctx.role(2, -i, AxisRole::kShift);
  }
}

void compute(ComputeContext& ctx) {
  const Product p = product(ctx.node());
  const Dims& a = ctx.in(0).shape;
  const Dims& b = ctx.in(1).shape;
  if (a.size() != 2 || b.size() != 2)
    ctx.fail("operands have ranks {} and {}, expected 2", a.size(), b.size());
  const std::int64_t m = a[p.trans_a ? 1 : 0];
  const std::int64_t k = a[p.trans_a ? 0 : 1];
  const std::int64_t n = b[p.trans_b ? 0 : 1];
  if (b[p.trans_b ? 1 : 0] != k) ctx.fail("{} columns meet {} rows", k, b[p.trans_b ? 1 : 0]);
  const double alpha = ctx.node().float_or("alpha", 1);
  const double beta = ctx.node().float_or("beta", 1);
  const std::vector<double> x = to_doubles(ctx.in(0));
  const std::vector<double> w = to_doubles(ctx.in(1));
  const std::vector<double> c = ctx.has(2) ? to_doubles(ctx.in(2)) : std::vector<double>{0};
  const Dims c_shape = ctx.has(2) ? ctx.in(2).shape : Dims{};
  const std::int64_t cn = c_shape.empty() ? 1 : c_shape.back();
  const std::int64_t cm = c_shape.size() < 2 ? 1 : c_shape[0];
  if (c_shape.size() > 2 || (cn != 1 && cn != n) || (cm != 1 && cm != m)) ctx.fail("C does not broadcast");
  std::vector<double> y(static_cast<std::size_t>(m * n));
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t t = 0; t < k; ++t) {
        sum += x[static_cast<std::size_t>(p.trans_a ? t * m + i : i * k + t)] *
               w[static_cast<std::size_t>(p.trans_b ? j * k + t : t * n + j)];
      }
      const std::int64_t at = (cm == 1 ? 0 : i) * cn + (cn == 1 ? 0 : j);
      y[static_cast<std::size_t>(i * n + j)] = alpha * sum + beta * c[static_cast<std::size_t>(at)];
    }
  }
  ctx.set(0, Tensor::of(ctx.in(0).dtype, {m, n}, y));
}

}  // namespace

void register_gemm(OpTable& table) {
  table.add({.type = "Gemm", .infer = infer, .cost = cost, .compute = compute, .channels = channels});
  table.add(
      {.type = "FusedGemm", .domain = "com.microsoft", .infer = infer, .cost = cost, .channels = channels});
}

}  // namespace compressor::ops

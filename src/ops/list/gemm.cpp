// Gemm: alpha A' B' + beta C; com.microsoft's FusedGemm is one with an activation behind it.
#include <algorithm>

#include "ops/expect.h"
#include "ops/gate.h"
#include "ops/matmul.h"
#include "ops/multiply.h"
#include "ops/real.h"
#include "ops/run_product.h"

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
  ctx.set(0, gemm(ctx));
}

void compute_fused(ComputeContext& ctx) {
  Tensor y = gemm(ctx);
  const std::string name = ctx.node().string_or("activation", "");
  if (name.empty()) return ctx.set(0, std::move(y));
  auto gate = Gate::named(name);
  if (!gate) ctx.fail("activation is '{}', which is not known", name);
  gate->alpha = ctx.node().float_or("activation_alpha", gate->alpha);
  gate->beta = ctx.node().float_or("activation_beta", gate->beta);
  with_real(ctx, y.dtype, [&]<class T>(T) {
    const Elements<T> sums(y);
    Result<T> out(y.dtype, y.shape);
    std::copy_n(sums.data(), out.size(), out.data());
    gate->apply(out.data(), out.size());
    ctx.set(0, out.finish());
  });
}

}  // namespace

void register_gemm(OpTable& table) {
  table.add({.type = "Gemm",
             .infer = infer,
             .cost = cost,
             .compute = compute,
             .channels = channels,
             .run = run_gemm,
             .fuses = true,
             .gradient = gemm_gradient,
             .keep = {.inputs = 3}});
  table.add({.type = "FusedGemm",
             .domain = "com.microsoft",
             .infer = infer,
             .cost = cost,
             .compute = compute_fused,
             .channels = channels});
}

}  // namespace compressor::ops

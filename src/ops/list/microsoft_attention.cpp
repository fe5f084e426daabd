// com.microsoft Attention, MultiHeadAttention, GroupQueryAttention: their channels freeze.
#include "ops/microsoft_attention.h"

#include "ops/expect.h"

namespace compressor::ops {
namespace {

// x [N, T, I], weights [I, Hq + Hk + Hv] -> [N, T, Hv]
void infer_attention(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& w = ctx.in(1);
  expect_rank(ctx, x, "input", 3, 3);
  const std::vector<std::int64_t> sizes = ctx.node().ints_or("qkv_hidden_sizes", {});
  SymDim width;
  if (sizes.size() == 3) {
    width = sizes[2];
  } else if (w.ranked) {
    width = w.dim(-1).divided_by(3);
  }
  if (!x.ranked) return ctx.set(0, x.dtype, {SymDim(), SymDim(), width});
  ctx.set(0, x.dtype, {x.dims[0], x.dims[1], width});
  if (!ctx.wants(1)) return;
  // [2, N, heads, past + T, D]
  const std::int64_t heads = ctx.node().int_or("num_heads", 0);
  SymDims present{2, x.dims[0], heads, x.dims[1], heads > 0 ? width.divided_by(heads) : SymDim()};
  if (ctx.has(4))
    present[3] = ctx.in(4).ranked && ctx.in(4).rank() == 5 ? ctx.in(4).dims[3] + x.dims[1] : SymDim();
  ctx.set(1, x.dtype, std::move(present));
}

// query [N, T, Hq] or packed [N, T, heads, 3, D], value [N, S, Hv] or [N, heads, S, D] -> [N, T, Hv]
void infer_multi_head(InferContext& ctx) {
  const Facts& q = ctx.in(0);
  SymDims y(3);
  if (q.ranked) {
    expect_rank(ctx, q, "query", 3, 5);
    y[0] = q.dims[0];
    y[1] = q.dims[1];
  }
  if (ctx.has(2) && ctx.in(2).ranked) {
    const Facts& v = ctx.in(2);
    y[2] = v.rank() == 4 ? v.dims[1] * v.dims[3] : v.dim(-1);
  } else if (q.ranked && q.rank() == 5) {
    y[2] = q.dims[2] * q.dims[4];
  }
  ctx.set(0, q.dtype, std::move(y));
  for (std::size_t i = 1; i < 3; ++i) {
    if (ctx.wants(i)) ctx.set(i, q.dtype, SymDims(4));
  }
}

// query [N, T, Hq], or all three packed when there is no key -> [N, T, Hq]
void infer_group_query(InferContext& ctx) {
  const Facts& q = ctx.in(0);
  expect_rank(ctx, q, "query", 3, 3);
  const std::int64_t heads = ctx.node().int_or("num_heads", 0);
  const std::int64_t kv_heads = ctx.node().int_or("kv_num_heads", 0);
  SymDims y(3);
  if (q.ranked) y = q.dims;
  if (!ctx.has(1) && heads > 0) y[2] = (y[2] * heads).divided_by(heads + 2 * kv_heads);
  ctx.set(0, q.dtype, std::move(y));
  for (std::size_t i = 1; i < 3; ++i) {
    if (ctx.wants(i)) ctx.set(i, q.dtype, SymDims(4));
  }
}

/// Scores and their use, for queries [N, T, H] that see S keys.
Cost attend(double n, double t, double s, double width) {
  const double macs = 2 * n * t * s * width;
  return {.macs = macs, .flops = 2 * macs};
}

Cost cost_attention(const CostContext& ctx) {
  const std::vector<double> x = ctx.in(0);
  const std::vector<double> w = ctx.in(1);
  const std::vector<double> y = ctx.out(0);
  if (!ctx.ok() || x.size() != 3 || w.size() != 2 || y.size() != 3) return {};
  Cost cost = attend(y[0], y[1], x[1], y[2]);
  const double projection = x[0] * x[1] * w[0] * w[1];
  return {.macs = cost.macs + projection, .flops = cost.flops + 2 * projection};
}

Cost cost_multi_head(const CostContext& ctx) {
  const std::vector<double> y = ctx.out(0);
  if (!ctx.ok() || y.size() != 3) return {};
  double keys = y[1];
  if (ctx.has(1)) {
    const std::vector<double> k = ctx.in(1);
    if (k.size() >= 3) keys = k.size() == 4 ? k[2] : k[1];
  }
  return attend(y[0], y[1], keys, y[2]);
}

}  // namespace

void register_microsoft_attention(OpTable& table) {
  table.add({.type = "Attention",
             .domain = "com.microsoft",
             .infer = infer_attention,
             .cost = cost_attention,
             .compute = compute_microsoft_attention});
  table.add({.type = "MultiHeadAttention",
             .domain = "com.microsoft",
             .infer = infer_multi_head,
             .cost = cost_multi_head,
             .compute = compute_multi_head_attention});
  table.add({.type = "GroupQueryAttention",
             .domain = "com.microsoft",
             .infer = infer_group_query,
             .cost = cost_multi_head,
             .compute = compute_group_query_attention});
}

}  // namespace compressor::ops

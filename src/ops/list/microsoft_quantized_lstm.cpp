// com.microsoft DynamicQuantizeLSTM: an LSTM with weights of 8 bits; its channels freeze.
#include "ops/expect.h"
#include "ops/recurrence.h"

namespace compressor::ops {
namespace {

std::int64_t directions_of(const Node& node) {
  return node.string_or("direction", "forward") == "bidirectional" ? 2 : 1;
}

// X [T, N, I], W [D, I, 4 H], R [D, H, 4 H] -> Y [T, D, N, H], Y_h, Y_c [D, N, H]
void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& r = ctx.in(2);
  expect_rank(ctx, x, "input", 3, 3);
  expect_rank(ctx, ctx.in(1), "W", 3, 3);
  expect_rank(ctx, r, "R", 3, 3);
  const SymDim h = r.ranked ? r.dims[1] : SymDim();
  if (r.ranked) agree(ctx, r.dims[2], h * 4, "axis 2 of R");
  const std::int64_t d = directions_of(ctx.node());
  const SymDim t = x.ranked ? x.dims[0] : SymDim();
  const SymDim n = x.ranked ? x.dims[1] : SymDim();
  if (ctx.wants(0)) ctx.set(0, x.dtype, {t, d, n, h});
  for (std::size_t i = 1; i < 3; ++i) {
    if (ctx.wants(i)) ctx.set(i, x.dtype, {d, n, h});
  }
}

Cost cost(const CostContext& ctx) {
  const std::vector<double> x = ctx.in(0);
  const std::vector<double> r = ctx.in(2);
  if (!ctx.ok() || x.size() != 3 || r.size() != 3) return {};
  const double macs = x[0] * x[1] * r[0] * r[2] * (x[2] + r[1]);
  return {.macs = macs, .flops = 2 * macs};
}

}  // namespace

void register_microsoft_quantized_lstm(OpTable& table) {
  table.add({.type = "DynamicQuantizeLSTM",
             .domain = "com.microsoft",
             .infer = infer,
             .cost = cost,
             .compute = compute_quantized_lstm});
}

}  // namespace compressor::ops

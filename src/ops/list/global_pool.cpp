// GlobalAveragePool, GlobalMaxPool, GlobalLpPool: one number a channel.
#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "input", 2);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  SymDims y(x.dims.size(), SymDim(1));
  y[0] = x.dims[0];
  y[1] = x.dims[1];
  ctx.set(0, x.dtype, std::move(y));
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  ctx.pass(0, 0, 0, 0);
  ctx.pass(0, 1, 0, 1);
  for (std::int64_t axis = 2; axis < ctx.in(0).rank(); ++axis) {
    ctx.approximate(ctx.in_list(0, axis), ctx.node().op() + " pools over this axis");
  }
}

}  // namespace

void register_global_pool(OpTable& table) {
  for (const char* type : {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"}) {
    table.add({.type = type, .infer = infer, .cost = cost, .channels = channels});
  }
}

}  // namespace compressor::ops

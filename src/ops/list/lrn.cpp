// LRN: divides by the energy of neighbouring channels.
#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  expect_rank(ctx, ctx.in(0), "input", 2);
  if (ctx.node().int_or("size", 0) < 1)
    ctx.fail("size is {}, expected at least 1", ctx.node().int_or("size", 0));
  same_as(ctx, 0, 0);
}

// A square and a sum for every neighbour, a power and a quotient.
Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = ctx.in_size(0) * (2 * static_cast<double>(ctx.node().int_or("size", 1)) + 2)};
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  ctx.approximate(ctx.in_list(0, 1), "LRN normalises over neighbouring channels");
}

}  // namespace

void register_lrn(OpTable& table) {
  table.add({.type = "LRN", .infer = infer, .cost = cost, .channels = channels});
}

}  // namespace compressor::ops

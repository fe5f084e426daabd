// LpNormalization, MeanVarianceNormalization: divide by a norm, or centre and scale, along given axes.
#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

std::vector<std::int64_t> axes_of(const Node& node) {
  if (node.op() == "LpNormalization") return {node.int_or("axis", -1)};
  return node.ints_or("axes", {0, 2, 3});
}

void infer(InferContext& ctx) {
  if (ctx.in(0).ranked) {
    for (const std::int64_t axis : axes_of(ctx.node())) normalize_axis(ctx, axis, ctx.in(0).rank());
  }
  same_as(ctx, 0, 0);
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = (ctx.node().op() == "LpNormalization" ? 3 : 6) * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  for (const std::int64_t axis : axes_of(ctx.node())) {
    ctx.approximate(ctx.in_list(0, axis), ctx.node().op() + " normalises over this axis");
  }
}

}  // namespace

void register_lp_normalization(OpTable& table) {
  for (const char* type : {"LpNormalization", "MeanVarianceNormalization"}) {
    table.add({.type = type, .infer = infer, .cost = cost, .channels = channels});
  }
}

}  // namespace compressor::ops

// com.microsoft FastGelu, BiasGelu: activations with a bias before.
#include "compressor/ops/channels.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  same_as(ctx, 0, 0);
  if (!ctx.has(1) || !ctx.in(0).ranked || ctx.in(0).rank() == 0) return;
  expect_vector(ctx, 1, ctx.in(0).dims.back(), "bias");
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = (ctx.has(1) ? 6 : 5) * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  static constexpr std::size_t kInputs[] = {0, 1};
  join_elementwise(ctx, std::span(kInputs, ctx.has(1) ? 2 : 1));
  if (ctx.has(1)) ctx.role(1, 0, AxisRole::kShift);
}

}  // namespace

void register_microsoft_gelu(OpTable& table) {
  for (const char* type : {"FastGelu", "BiasGelu"}) {
    table.add({.type = type, .domain = "com.microsoft", .infer = infer, .cost = cost, .channels = channels});
  }
}

}  // namespace compressor::ops

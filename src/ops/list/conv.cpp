// Conv: convolution; com.microsoft's FusedConv is one with a sum and an activation behind it.
#include "ops/convolution.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  auto shape = convolution_shape(ctx, {});
  if (!shape) return ctx.set_unranked(0, ctx.in(0).dtype);
  ctx.set(0, ctx.in(0).dtype, std::move(*shape));
}

Cost cost(const CostContext& ctx) {
  return convolution_cost(ctx, {});
}

void channels(ChannelContext& ctx) {
  convolution_channels(ctx, {});
}

void shrink(ShrinkContext& ctx) {
  convolution_shrink(ctx, {});
}

// The sum that is added before the activation.
void fused_channels(ChannelContext& ctx) {
  channels(ctx);
  if (!ctx.has(3)) return;
  ctx.join(ctx.in_list(1, 0), ctx.in_list(3, 1));
  ctx.set_out(0, 1, ctx.in_list(1, 0));
}

}  // namespace

void register_conv(OpTable& table) {
  table.add({.type = "Conv", .infer = infer, .cost = cost, .channels = channels, .shrink = shrink});
  table.add({.type = "FusedConv",
             .domain = "com.microsoft",
             .infer = infer,
             .cost = cost,
             .channels = fused_channels,
             .shrink = shrink});
}

}  // namespace compressor::ops

// DeformConv: convolution whose taps are moved by an offset that is computed.
#include "ops/deform.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

// x [N, C_in, s..], w, offset [N, offset_group k k n, places..], b, mask [N, offset_group k k, places..]
constexpr Convolution kWhich{.w = 1, .b = 3};

void infer(InferContext& ctx) {
  auto shape = convolution_shape(ctx, kWhich);
  if (!shape) return ctx.set_unranked(0, ctx.in(0).dtype);
  const Facts& offset = ctx.in(2);
  expect_rank(ctx, offset, "offset", static_cast<std::int64_t>(shape->size()),
              static_cast<std::int64_t>(shape->size()));
  for (std::size_t i = 2; offset.ranked && i < shape->size(); ++i) {
    (*shape)[i] = agree(ctx, (*shape)[i], offset.dims[i], "length of an axis of the offset");
  }
  ctx.set(0, ctx.in(0).dtype, std::move(*shape));
}

// Every tap is interpolated between its neighbours before it is multiplied.
Cost cost(const CostContext& ctx) {
  Cost cost = convolution_cost(ctx, kWhich);
  const double places = ctx.out_size(0);
  const std::vector<double> w = ctx.in(1);
  if (ctx.ok() && !w.empty() && w[0] > 0) cost.flops += places > 0 ? 7 * cost.macs / w[0] : 0;
  return cost;
}

void channels(ChannelContext& ctx) {
  convolution_channels(ctx, kWhich);
  ctx.freeze(2, 1, "offsets of a kernel's positions");
  if (ctx.has(4)) ctx.freeze(4, 1, "mask of a kernel's positions");
  const std::int64_t groups = ctx.node().int_or("offset_group", 1);
  const std::int64_t c = ctx.in_dim(0, 1);
  if (groups <= 1) return;
  if (c < 0 || c % groups != 0) return ctx.freeze(0, 1, "unknown number of channels for each offset");
  const std::vector<std::int64_t> factors{groups, c / groups};
  ctx.freeze(ctx.atoms().split(ctx.in_list(0, 1), factors, ctx.because("groups of offsets"))[0],
             "groups of offsets");
}

void shrink(ShrinkContext& ctx) {
  convolution_shrink(ctx, kWhich);
}

void compute(ComputeContext& ctx) {
  compute_deform_conv(ctx, kWhich);
}

}  // namespace

void register_deform_conv(OpTable& table) {
  table.add({.type = "DeformConv",
             .infer = infer,
             .cost = cost,
             .compute = compute,
             .channels = channels,
             .shrink = shrink});
}

}  // namespace compressor::ops

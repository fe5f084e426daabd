// InstanceNormalization: every channel of every sample by its own mean and variance.
#include "compressor/ops/channels.h"
#include "ops/expect.h"
#include "ops/normalize.h"
#include "ops/run_norm.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  expect_rank(ctx, x, "input", 3);
  const SymDim c = x.ranked ? x.dims[1] : SymDim();
  expect_vector(ctx, 1, c, "scale");
  expect_vector(ctx, 2, c, "bias");
  same_as(ctx, 0, 0);
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 6 * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  ctx.join(ctx.in_list(0, 1), ctx.in_list(1, 0));
  ctx.join(ctx.in_list(0, 1), ctx.in_list(2, 0));
  ctx.role(1, 0, AxisRole::kScale);
  ctx.role(2, 0, AxisRole::kShift);
  for (std::int64_t axis = 2; axis < ctx.in(0).rank(); ++axis) {
    ctx.approximate(ctx.in_list(0, axis), "InstanceNormalization takes statistics over this axis");
  }
}

void compute(ComputeContext& ctx) {
  const Dims& x = ctx.in(0).shape;
  if (x.size() < 2) ctx.fail("input has rank {}, expected at least 3", x.size());
  ctx.set(0, normalize_groups(ctx, x[1], ctx.node().float_or("epsilon", 1e-5F)));
}

}  // namespace

void register_instance_normalization(OpTable& table) {
  table.add(
      {.type = "InstanceNormalization",
       .infer = infer,
       .cost = cost,
       .compute = compute,
       .channels = channels,
       .run =
           [](RunContext& ctx) { return ctx.shape(0).size() > 1 && run_group_norm(ctx, ctx.shape(0).at(1)); },
       .gradient = [](GradientContext& ctx) { group_norm_gradient(ctx, ctx.in_shape(0).at(1)); },
       .keep = {.inputs = 3}});
}

}  // namespace compressor::ops

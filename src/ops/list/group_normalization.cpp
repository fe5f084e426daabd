// GroupNormalization: groups of channels by their mean and variance.
//
// x [N, C, ..] with C = (groups, C / groups). Scale and bias are per group up to opset 20, per channel
// from 21.
#include <set>

#include "compressor/ops/channels.h"
#include "ops/expect.h"
#include "ops/normalize.h"
#include "ops/run_norm.h"

namespace compressor::ops {
namespace {

std::int64_t groups_of(const Node& node) {
  const std::int64_t groups = node.int_or("num_groups", 0);
  if (groups < 1) {
    throw Error::model("node '{}' ({}): num_groups is {}, expected at least 1", node.label(), node.op(),
                       groups);
  }
  return groups;
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const std::int64_t groups = groups_of(ctx.node());
  expect_rank(ctx, x, "input", 2);
  const SymDim c = x.ranked ? x.dims[1] : SymDim();
  if (c.is_number() && c.number() % groups != 0) {
    ctx.fail("input has {} channels, expected a multiple of {} groups", c.number(), groups);
  }
  expect_vector(ctx, 1, ctx.opset() < 21 ? SymDim(groups) : c, "scale");
  expect_vector(ctx, 2, ctx.opset() < 21 ? SymDim(groups) : c, "bias");
  same_as(ctx, 0, 0);
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 6 * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  const std::int64_t groups = groups_of(ctx.node());
  const std::int64_t c = ctx.in_dim(0, 1);
  if (c < 0 || c % groups != 0) return ctx.freeze_all("unknown number of channels in a group");
  const Places x = ctx.in_list(0, 1);
  const std::vector<std::int64_t> factors{groups, c / groups};
  const std::vector<Places> parts = ctx.atoms().split(x, factors, ctx.because("groups of a norm"));
  ctx.approximate(parts[1], "GroupNormalization takes statistics over the channels of a group");
  for (std::size_t i = 1; i < 3; ++i) {
    ctx.join(ctx.opset() < 21 ? parts[0] : x, ctx.in_list(i, 0));
    ctx.role(i, 0, i == 1 ? AxisRole::kScale : AxisRole::kShift);
  }
  for (std::int64_t axis = 2; axis < ctx.in(0).rank(); ++axis) {
    ctx.approximate(ctx.in_list(0, axis), "GroupNormalization takes statistics over this axis");
  }
}

void shrink(ShrinkContext& ctx) {
  const auto* kept = ctx.kept_in(0, 1);
  if (!kept) return;
  const std::int64_t width = ctx.in(0).dim(1).number() / groups_of(ctx.node());
  std::set<std::int64_t> groups;
  for (const std::int64_t position : *kept) groups.insert(position / width);
  ctx.set_attribute({"num_groups", static_cast<std::int64_t>(groups.size())});
}

void compute(ComputeContext& ctx) {
  if (ctx.in(0).rank() < 2) ctx.fail("input has rank {}, expected at least 2", ctx.in(0).rank());
  ctx.set(0, normalize_groups(ctx, groups_of(ctx.node()), ctx.node().float_or("epsilon", 1e-5F)));
}

}  // namespace

void register_group_normalization(OpTable& table) {
  table.add({.type = "GroupNormalization",
             .infer = infer,
             .cost = cost,
             .compute = compute,
             .channels = channels,
             .shrink = shrink,
             .run = [](RunContext& ctx) { return run_group_norm(ctx, groups_of(ctx.node())); },
             .gradient = [](GradientContext& ctx) { group_norm_gradient(ctx, groups_of(ctx.node())); },
             .keep = {.inputs = 3}});
}

}  // namespace compressor::ops

// LayerNormalization, RMSNormalization: every sample over its last axes.
#include "compressor/ops/channels.h"
#include "ops/expect.h"
#include "ops/normalize.h"
#include "ops/run_norm.h"

namespace compressor::ops {
namespace {

std::int64_t first_axis(const Node& node, std::int64_t rank) {
  const std::int64_t axis = node.int_or("axis", -1);
  if (axis < -rank || axis >= rank) {
    throw Error::model("node '{}' ({}): axis {} is outside a tensor of rank {}", node.label(), node.op(),
                       axis, rank);
  }
  return axis < 0 ? axis + rank : axis;
}

// x [d.., n..], scale, bias broadcast to [n..] -> y as x; mean, 1/deviation [d.., 1..]
void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  same_as(ctx, 0, 0);
  const DType stash = dtype_attribute(ctx.node(), "stash_type", DType::kFloat);
  if (!x.ranked) {
    for (std::size_t i = 1; i < ctx.num_outputs(); ++i) ctx.set_unranked(i, stash);
    return;
  }
  const std::int64_t axis = first_axis(ctx.node(), x.rank());
  for (std::size_t i = 1; i < 3; ++i) {
    if (!ctx.has(i) || !ctx.in(i).ranked) continue;
    const Facts& p = ctx.in(i);
    if (p.rank() > x.rank()) ctx.fail("parameter has rank {}, expected at most {}", p.rank(), x.rank());
    for (std::int64_t k = 1; k <= p.rank(); ++k) {
      const SymDim& d = p.dim(-k);
      if (!d.is_number() || d.number() == 1 || !x.dim(-k).is_number() || d == x.dim(-k)) continue;
      ctx.fail("parameter is {}, expected to broadcast to {}", to_string(p.dims), to_string(x.dims));
    }
  }
  SymDims reduced = x.dims;
  for (auto i = static_cast<std::size_t>(axis); i < reduced.size(); ++i) reduced[i] = 1;
  for (std::size_t i = 1; i < ctx.num_outputs(); ++i) {
    if (ctx.wants(i)) ctx.set(i, stash, reduced);
  }
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = (ctx.node().op() == "LayerNormalization" ? 7 : 5) * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  const std::int64_t rank = ctx.in(0).rank();
  const std::int64_t first = first_axis(ctx.node(), rank);
  for (std::int64_t axis = first; axis < rank; ++axis) {
    ctx.approximate(ctx.in_list(0, axis), ctx.node().op() + " normalises over this axis");
  }
  for (std::size_t i = 1; i < 3; ++i) {
    if (!ctx.has(i)) continue;
    for (std::int64_t k = 1; k <= ctx.in(i).rank(); ++k) {
      if (ctx.in_dim(i, -k) == 1) continue;
      ctx.join(ctx.in_list(0, -k), ctx.in_list(i, -k));
      ctx.role(i, -k, i == 1 ? AxisRole::kScale : AxisRole::kShift);
    }
  }
  ctx.pass_all(0, 0);
  for (std::size_t i = 1; i < ctx.node().outputs().size(); ++i) {
    for (std::int64_t axis = 0; axis < first; ++axis) ctx.pass(0, axis, i, axis);
  }
}

void compute(ComputeContext& ctx) {
  normalize_last(ctx, first_axis(ctx.node(), ctx.in(0).rank()), ctx.node().op() == "LayerNormalization",
                 dtype_attribute(ctx.node(), "stash_type", DType::kFloat));
}

bool centred(const Node& node) {
  return node.op() == "LayerNormalization";
}

bool run(RunContext& ctx) {
  const std::int64_t axis = first_axis(ctx.node(), static_cast<std::int64_t>(ctx.shape(0).size()));
  return run_layer_norm(ctx, axis, centred(ctx.node()),
                        dtype_attribute(ctx.node(), "stash_type", DType::kFloat));
}

void gradient(GradientContext& ctx) {
  const std::int64_t axis = first_axis(ctx.node(), static_cast<std::int64_t>(ctx.in_shape(0).size()));
  layer_norm_gradient(ctx, axis, centred(ctx.node()));
}

}  // namespace

void register_layer_normalization(OpTable& table) {
  for (const char* type : {"LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"}) {
    table.add({.type = type,
               .infer = infer,
               .cost = cost,
               .compute = compute,
               .channels = channels,
               .run = run,
               .gradient = gradient,
               .keep = {.inputs = 3}});
  }
}

}  // namespace compressor::ops

// flatten: Flatten, a matrix of the axes before and from `axis`.
#include "ops/align.h"
#include "ops/movement.h"
#include "ops/run_movement.h"

namespace compressor::ops {
namespace {

/// May be the rank itself: then the second axis has length 1.
std::int64_t split_axis(const Node& node, std::int64_t rank) {
  const std::int64_t axis = node.int_or("axis", 1);
  return axis == rank ? rank : axis_in(node, axis, std::max<std::int64_t>(rank, 1));
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) return ctx.set(0, x.dtype, {SymDim(), SymDim()});
  const auto middle = x.dims.begin() + split_axis(ctx.node(), x.rank());
  ctx.set(0, x.dtype, {product({x.dims.begin(), middle}), product({middle, x.dims.end()})});
  keep_contents(ctx);
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const auto middle = x.shape.begin() + split_axis(ctx.node(), x.rank());
  const auto outer = static_cast<std::int64_t>(num_elements({x.shape.begin(), middle}));
  const auto inner = static_cast<std::int64_t>(num_elements({middle, x.shape.end()}));
  Tensor out = x.reshaped({outer, inner});
  out.name.clear();
  ctx.set(0, std::move(out));
}

}  // namespace

void register_flatten(OpTable& table) {
  table.add({.type = "Flatten",
             .infer = infer,
             .compute = compute,
             .channels = channels_reshape,
             .gradient = reshape_gradient});
}

}  // namespace compressor::ops

// transpose: Transpose, axes in another order.
#include <numeric>

#include "ops/movement.h"

namespace compressor::ops {
namespace {

Ints permutation(const Node& node, std::int64_t rank) {
  Ints reversed(static_cast<std::size_t>(rank));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  Ints perm = axes_in(node, node.ints_or("perm", reversed), rank);
  if (static_cast<std::int64_t>(perm.size()) != rank) {
    throw Error::model("node '{}' (Transpose): perm has {} axes, expected {}", node.label(), perm.size(),
                       rank);
  }
  return perm;
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Strides own = row_major(x.shape);
  Dims shape;
  Strides strides;
  for (const std::int64_t axis : permutation(ctx.node(), x.rank())) {
    shape.push_back(x.shape[static_cast<std::size_t>(axis)]);
    strides.push_back(own[static_cast<std::size_t>(axis)]);
  }
  ctx.set(0, take_strided(x, shape, strides));
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) {
    const Ints perm = ctx.node().ints_or("perm", {});
    if (perm.empty()) return ctx.set_unranked(0, x.dtype);
    return ctx.set(0, x.dtype, SymDims(perm.size()));
  }
  SymDims dims;
  for (const std::int64_t axis : permutation(ctx.node(), x.rank())) dims.push_back(x.dim(axis));
  ctx.set(0, x.dtype, std::move(dims));
  const std::size_t data[] = {0};
  move_contents(ctx, compute, data);
}

void channels(ChannelContext& ctx) {
  if (!carries_channels(ctx.in(0))) return;
  std::int64_t to = 0;
  for (const std::int64_t axis : permutation(ctx.node(), ctx.in(0).rank())) ctx.pass(0, axis, 0, to++);
}

}  // namespace

void register_transpose(OpTable& table) {
  table.add({.type = "Transpose", .infer = infer, .compute = compute, .channels = channels});
}

}  // namespace compressor::ops

// transpose: Transpose, axes in another order.
#include <algorithm>
#include <numeric>

#include "ops/movement.h"
#include "ops/run_movement.h"

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

bool is(const Ints& perm, std::initializer_list<std::int64_t> other) {
  return std::equal(perm.begin(), perm.end(), other.begin(), other.end());
}

/// Channels to the end: what lies channels-last is that already.
bool moves_channels_last(const Ints& perm) {
  return is(perm, {0, 2, 1}) || is(perm, {0, 2, 3, 1}) || is(perm, {0, 2, 3, 4, 1});
}

bool moves_channels_first(const Ints& perm) {
  return is(perm, {0, 2, 1}) || is(perm, {0, 3, 1, 2}) || is(perm, {0, 4, 1, 2, 3});
}

Moves moves_of(const Ints& perm, const Dims& x) {
  Moves moves;
  for (std::size_t k = 0; k < perm.size(); ++k) {
    moves.loops.push_back(
        {x[static_cast<std::size_t>(perm[k])], perm[k], 1, static_cast<std::int64_t>(k), 1});
  }
  return moves;
}

/// A value that lies so that the other name for its axes is all there is to do: the same bytes.
std::optional<RunValue> relabelled(const Tensor& x, Layout layout, const Ints& perm, const Dims& shape) {
  Tensor y = x;
  y.name.clear();
  y.shape = shape;
  if (layout == Layout::kChannelsLast && moves_channels_last(perm)) return RunValue(y, Layout::kPlain);
  if (layout == Layout::kPlain && moves_channels_first(perm)) return RunValue(y, Layout::kChannelsLast);
  return std::nullopt;
}

bool run(RunContext& ctx) {
  if (!can_move(ctx, 0) || ctx.portable()) return false;
  const Dims x = ctx.shape(0);
  const Ints perm = permutation(ctx.node(), static_cast<std::int64_t>(x.size()));
  Dims shape;
  for (const std::int64_t axis : perm) shape.push_back(x[static_cast<std::size_t>(axis)]);
  const Layout layout = ctx.layout(0);
  if (auto same = relabelled(ctx.in(0, layout), layout, perm, shape)) {
    ctx.set(0, std::move(*same));
    return true;
  }
  std::byte* out = ctx.out(0, ctx.dtype(0), shape);
  move_into(ctx, 0, moves_of(perm, x), shape, Layout::kPlain, out);
  return true;
}

void gradient(GradientContext& ctx) {
  if (!ctx.wants(0)) return;
  const Dims& x = ctx.in_shape(0);
  const Ints perm = permutation(ctx.node(), static_cast<std::int64_t>(x.size()));
  Ints back(perm.size());
  for (std::size_t k = 0; k < perm.size(); ++k) {
    back[static_cast<std::size_t>(perm[k])] = static_cast<std::int64_t>(k);
  }
  const Layout layout = ctx.grad_layout(0);
  if (auto same = relabelled(ctx.grad_tensor(0, layout), layout, back, x))
    return ctx.set(0, std::move(*same));
  moved_gradient(ctx, 0, 0, moves_of(perm, x));
}

}  // namespace

void register_transpose(OpTable& table) {
  table.add({.type = "Transpose",
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .run = run,
             .gradient = gradient});
}

}  // namespace compressor::ops

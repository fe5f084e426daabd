// expand: Expand, axes of length 1 repeated to a given shape, broadcast both ways.
#include "ops/movement.h"

namespace compressor::ops {
namespace {

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Dims shape = broadcast_shape(x.shape, to_ints(ctx.in(1)));
  ctx.set(0, take_strided(x, shape, broadcast_strides(x.shape, shape)));
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const SymDims* target = ctx.contents(1);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  if (!target) {
    const Facts& shape = ctx.in(1);
    const auto rank = shape.ranked && shape.rank() == 1 ? shape.dims[0].maybe_number() : std::nullopt;
    if (!rank) return ctx.set_unranked(0, x.dtype);
    ctx.set(0, x.dtype, broadcast(ctx, x.dims, SymDims(static_cast<std::size_t>(*rank))));
    return;
  }
  ctx.set(0, x.dtype, broadcast(ctx, x.dims, *target));
  const std::size_t data[] = {0};
  move_contents(ctx, compute, data);
}

void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!ctx.wants(0) || !carries_channels(x)) return;
  if (!ctx.out(0).ranked) return ctx.freeze_all("has an output of unknown rank");
  const std::int64_t added = ctx.out(0).rank() - x.rank();
  for (std::int64_t axis = 0; axis < ctx.out(0).rank(); ++axis) {
    const std::int64_t n = ctx.out_dim(0, axis);
    const bool repeated = axis < added || ctx.in_dim(0, axis - added) == 1;
    if (!repeated) {
      ctx.pass(0, axis - added, 0, axis);
      continue;
    }
    if (n <= 1) continue;
    Places places = ctx.fresh(n);  // its length can be edited in the target
    if (!ctx.in(1).contents) ctx.freeze(places, "is expanded to a length that is not constant");
    ctx.set_out(0, axis, std::move(places));
  }
}

void shrink(ShrinkContext& ctx) {
  const auto& shape = ctx.in(1);
  if (!shape.ranked || shape.rank() != 1 || !shape.dims[0].is_number()) return;
  const std::int64_t missing = ctx.out(0).rank() - shape.dims[0].number();
  for (std::int64_t axis = missing; axis < ctx.out(0).rank(); ++axis) {
    if (!ctx.kept_out(0, axis)) continue;
    const auto target = known_ints(shape);
    if (target && (*target)[static_cast<std::size_t>(axis - missing)] == 1)
      continue;  // the input's own length
    ctx.set_element(1, axis - missing, ctx.new_out_dim(0, axis));
  }
}

}  // namespace

void register_expand(OpTable& table) {
  table.add({.type = "Expand",
             .since = 8,
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .shrink = shrink});
}

}  // namespace compressor::ops

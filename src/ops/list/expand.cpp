// expand: Expand, axes of length 1 repeated to a given shape, broadcast both ways.
#include "ops/movement.h"
#include "ops/run_movement.h"

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

Moves moves_of(const Dims& x, const Dims& y) {
  Moves moves;
  const std::size_t lead = y.size() - x.size();
  for (std::size_t k = 0; k < y.size(); ++k) {
    const bool repeated = k < lead || x[k - lead] != y[k];
    const auto axis = static_cast<std::int64_t>(k);
    moves.loops.push_back({y[k], repeated ? -1 : axis - static_cast<std::int64_t>(lead), 1, axis, 1});
    moves.repeats = moves.repeats || repeated;
  }
  return moves;
}

bool run(RunContext& ctx) {
  if (ctx.portable() || !can_move(ctx, 0)) return false;
  const Dims shape = broadcast_shape(ctx.shape(0), to_ints(ctx.in(1)));
  run_moves(ctx, 0, 0, moves_of(ctx.shape(0), shape), shape);
  return true;
}

void gradient(GradientContext& ctx) {
  moved_gradient(ctx, 0, 0, moves_of(ctx.in_shape(0), ctx.out_shape(0)));
}

}  // namespace

void register_expand(OpTable& table) {
  table.add({.type = "Expand",
             .since = 8,
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .shrink = shrink,
             .run = run,
             .gradient = gradient});
}

}  // namespace compressor::ops

// tile: Tile, every axis repeated a number of times.
#include "ops/movement.h"
#include "ops/run_movement.h"

namespace compressor::ops {
namespace {

/// Each axis is walked as (repeat, position), so that a repeat is a stride of 0.
void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Ints repeats = to_ints(ctx.in(1));
  if (static_cast<std::int64_t>(repeats.size()) != x.rank()) {
    ctx.fail("{} repeats, expected {}", repeats.size(), x.rank());
  }
  const Strides own = row_major(x.shape);
  Dims walked, shape;
  Strides strides;
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    if (repeats[i] < 0) ctx.fail("axis {} is repeated {} times", i, repeats[i]);
    walked.insert(walked.end(), {repeats[i], x.shape[i]});
    strides.insert(strides.end(), {0, own[i]});
    shape.push_back(repeats[i] * x.shape[i]);
  }
  ctx.set(0, take_strided(x, walked, strides).reshaped(shape));
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const SymDims* repeats = ctx.contents(1);
  if (!x.ranked) {
    if (!repeats) return ctx.set_unranked(0, x.dtype);
    return ctx.set(0, x.dtype, SymDims(repeats->size()));
  }
  SymDims dims(x.dims.size());
  if (repeats) {
    if (repeats->size() != dims.size()) ctx.fail("{} repeats, expected {}", repeats->size(), dims.size());
    for (std::size_t i = 0; i < dims.size(); ++i) dims[i] = x.dims[i] * (*repeats)[i];
  }
  ctx.set(0, x.dtype, std::move(dims));
  const std::size_t data[] = {0};
  move_contents(ctx, compute, data);
}

void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!ctx.wants(0) || !carries_channels(x)) return;
  for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t n = ctx.out_dim(0, axis);
    if (ctx.in_dim(0, axis) == 1) {
      Places places = ctx.fresh(n);  // its length can be edited in the repeats
      if (!ctx.in(1).contents) ctx.freeze(places, "is repeated a number of times that is not constant");
      ctx.set_out(0, axis, std::move(places));
      continue;
    }
    const Places& list = ctx.in_list(0, axis);
    if (list.empty()) continue;
    if (n < 0) {
      ctx.freeze(0, axis, "is repeated a number of times that is not known");
      continue;
    }
    Places all;
    for (std::int64_t i = 0; i < n; i += static_cast<std::int64_t>(list.size())) {
      all.insert(all.end(), list.begin(), list.end());
    }
    ctx.set_out(0, axis, std::move(all));
  }
}

void shrink(ShrinkContext& ctx) {
  for (std::int64_t axis = 0; axis < ctx.out(0).rank(); ++axis) {
    if (!ctx.kept_out(0, axis) || !(ctx.in(0).dim(axis) == SymDim(1))) continue;
    ctx.set_element(1, axis, ctx.new_out_dim(0, axis));
  }
}

/// Each axis as (repeat, position).
Moves moves_of(const Dims& x, const Dims& y) {
  Moves moves;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const auto axis = static_cast<std::int64_t>(k);
    const std::int64_t repeats = x[k] == 0 ? 0 : y[k] / x[k];
    moves.loops.push_back({repeats, -1, 1, axis, x[k]});
    moves.loops.push_back({x[k], axis, 1, axis, 1});
  }
  moves.repeats = true;
  return moves;
}

bool run(RunContext& ctx) {
  if (ctx.portable() || !can_move(ctx, 0)) return false;
  const Dims x = ctx.shape(0);
  const Ints repeats = to_ints(ctx.in(1));
  Dims shape = x;
  if (repeats.size() != x.size()) return false;
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (repeats[k] < 0) return false;
    shape[k] *= repeats[k];
  }
  run_moves(ctx, 0, 0, moves_of(x, shape), shape);
  return true;
}

void gradient(GradientContext& ctx) {
  moved_gradient(ctx, 0, 0, moves_of(ctx.in_shape(0), ctx.out_shape(0)));
}

}  // namespace

void register_tile(OpTable& table) {
  table.add({.type = "Tile",
             .since = 6,
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .shrink = shrink,
             .run = run,
             .gradient = gradient});
}

}  // namespace compressor::ops

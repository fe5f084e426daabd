// slice: Slice, with bounds as attributes (before 10) or as inputs with steps.
#include <algorithm>

#include "ops/movement.h"
#include "ops/run_movement.h"

namespace compressor::ops {
namespace {

/// What is taken of one axis: positions first, first + step, ... (count of them).
struct Cut {
  std::int64_t first = 0, step = 1, count = 0;
};

Cut cut_of(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t n) {
  if (step == 0) throw Error::model("a slice of step 0");
  if (step == INT64_MIN) step = INT64_MIN + 1;
  const auto place = [n](std::int64_t v, std::int64_t low, std::int64_t high) {
    return std::clamp(v < 0 ? v + n : v, low, high);
  };
  const bool forward = step > 0;
  const std::int64_t from = forward ? place(start, 0, n) : place(start, 0, n - 1);
  const std::int64_t to = forward ? place(end, 0, n) : place(end, -1, n - 1);
  const std::int64_t span = forward ? to - from : from - to;
  const std::int64_t stride = forward ? step : -step;
  const std::int64_t count = n > 0 && span > 0 ? (span - 1) / stride + 1 : 0;
  return {from, step, count};
}

/// The settings of a Slice where all are known; axes normalised, steps filled in.
struct Bounds {
  Ints starts, ends, axes, steps;
};

/// `get(i, name)` gives a setting or nullopt; `has_axes`, `has_steps`: whether they are there at all.
template <class Context, class Get>
std::optional<Bounds> bounds_of(const Context& ctx, std::int64_t rank, Get&& get) {
  const auto starts = get(1, "starts");
  const auto ends = get(2, "ends");
  auto axes = get(3, "axes");
  auto steps = get(4, "");
  if (!starts || !ends || (ctx.has(3) && !axes) || (ctx.has(4) && !steps)) return std::nullopt;
  if (!axes) {
    axes.emplace();
    for (std::size_t i = 0; i < starts->size(); ++i) axes->push_back(static_cast<std::int64_t>(i));
  }
  if (!steps || !ctx.has(4)) steps = Ints(starts->size(), 1);
  if (ends->size() != starts->size() || axes->size() != starts->size() || steps->size() != starts->size()) {
    throw Error::model("node '{}' (Slice): {} starts, {} ends, {} axes and {} steps", ctx.node().label(),
                       starts->size(), ends->size(), axes->size(), steps->size());
  }
  return Bounds{*starts, *ends, axes_in(ctx.node(), *axes, rank), *steps};
}

std::optional<Bounds> known_bounds(const InferContext& ctx) {
  return bounds_of(ctx, ctx.in(0).rank(),
                   [&](std::size_t i, std::string_view name) { return ctx.ints_or_attribute(i, name); });
}

template <class Context>
std::optional<Bounds> rule_bounds(const Context& ctx) {
  return bounds_of(ctx, ctx.in(0).rank(),
                   [&](std::size_t i, std::string_view name) { return known_setting(ctx, i, name); });
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const auto bounds = bounds_of(
      ctx, x.rank(), [&](std::size_t i, std::string_view name) { return ctx.ints_or_attribute(i, name); });
  if (!bounds) ctx.fail("bounds are missing");
  Dims shape = x.shape;
  Strides strides = row_major(x.shape);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < bounds->axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(bounds->axes[i]);
    const Cut cut = cut_of(bounds->starts[i], bounds->ends[i], bounds->steps[i], x.shape[axis]);
    shape[axis] = cut.count;
    start += cut.first * strides[axis];
    strides[axis] *= cut.count > 1 ? cut.step : 1;
  }
  ctx.set(0, take_strided(x, shape, strides, num_elements(shape) == 0 ? 0 : start));
}

/// The new length of an axis whose length or bounds hold symbols.
SymDim symbolic_length(const SymDim& n, const SymDim& start, const SymDim& end, std::int64_t step) {
  constexpr std::int64_t kFar = INT32_MAX;
  if (n.is_number() && start.is_number() && end.is_number()) {
    return cut_of(start.number(), end.number(), step, n.number()).count;
  }
  const bool whole = start == SymDim(0) && step == 1;
  const bool to_end = end == n || (end.is_number() && end.number() >= kFar);
  if (whole && to_end) return n;
  // A table that is read up to the length of the input is taken to be long enough: x[0 : T] has T rows.
  if (whole && n.is_number() && !end.is_number() && !end.is_unknown()) return end;
  if (step != 1 || !start.is_number()) return {};
  if (start.number() >= 0 && to_end) return n - start;
  if (start.number() < 0 && to_end && n.is_number()) return std::min(-start.number(), n.number());
  return {};
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!x.ranked) return ctx.set_unranked(0, x.dtype);
  SymDims dims = x.dims;
  if (const auto bounds = known_bounds(ctx)) {
    for (std::size_t i = 0; i < bounds->axes.size(); ++i) {
      SymDim& d = dims[static_cast<std::size_t>(bounds->axes[i])];
      d = symbolic_length(d, bounds->starts[i], bounds->ends[i], bounds->steps[i]);
    }
    ctx.set(0, x.dtype, std::move(dims));
    const std::size_t data[] = {0};
    return move_contents(ctx, compute, data);
  }
  // Some bounds are symbols or unknown: only the axes that they name change.
  const SymDims* starts = ctx.contents(1);
  const SymDims* ends = ctx.contents(2);
  const auto axes = ctx.ints(3);
  const auto steps = ctx.ints(4);
  const auto count_of = [&](std::size_t i) -> std::optional<std::int64_t> {
    return ctx.has(i) && ctx.in(i).ranked && ctx.in(i).rank() == 1 ? ctx.in(i).dims[0].maybe_number()
                                                                   : std::nullopt;
  };
  const auto count = count_of(1) ? count_of(1) : count_of(2);
  Ints named;
  if (axes) {
    named = axes_in(ctx.node(), *axes, x.rank());
  } else if (!ctx.has(3) && count && *count <= x.rank()) {
    for (std::int64_t i = 0; i < *count; ++i) named.push_back(i);
  } else {
    return ctx.set(0, x.dtype, SymDims(x.dims.size()));
  }
  for (std::size_t i = 0; i < named.size(); ++i) {
    SymDim& d = dims[static_cast<std::size_t>(named[i])];
    const bool known = starts && ends && starts->size() == named.size() && ends->size() == named.size() &&
                       (!ctx.has(4) || (steps && steps->size() == named.size()));
    d = known ? symbolic_length(d, (*starts)[i], (*ends)[i], steps ? (*steps)[i] : 1) : SymDim();
  }
  ctx.set(0, x.dtype, std::move(dims));
}

Ints positions_of(const Cut& cut) {
  Ints positions;
  for (std::int64_t i = 0; i < cut.count; ++i) positions.push_back(cut.first + i * cut.step);
  return positions;
}

/// False where the axes are known and this is none of them.
bool may_name(const ChannelContext& ctx, std::int64_t axis) {
  if (ctx.has(3)) {
    const auto axes = known_setting(ctx, 3, "axes");
    if (!axes) return true;
    const Ints named = axes_in(ctx.node(), *axes, ctx.in(0).rank());
    return std::find(named.begin(), named.end(), axis) != named.end();
  }
  const std::int64_t count = ctx.has(1) && ctx.in(1).ranked && ctx.in(1).rank() == 1 ? ctx.in_dim(1, 0) : -1;
  return count < 0 || axis < count;
}

void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!ctx.wants(0) || !carries_channels(x)) return;
  const auto bounds = rule_bounds(ctx);
  for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
    const Places& list = ctx.in_list(0, axis);
    if (list.empty()) continue;
    if (!bounds) {
      const bool same_length = ctx.out(0).ranked && ctx.out_dim(0, axis) == ctx.in_dim(0, axis);
      if (same_length) ctx.set_out(0, axis, list);  // whatever the bounds are, nothing is taken away here
      if (!same_length || may_name(ctx, axis))
        ctx.freeze(0, axis, "is sliced at bounds that are not constant");
      continue;
    }
    const auto it = std::find(bounds->axes.begin(), bounds->axes.end(), axis);
    if (it == bounds->axes.end()) {
      ctx.set_out(0, axis, list);
      continue;
    }
    const auto i = static_cast<std::size_t>(it - bounds->axes.begin());
    const Cut cut =
        cut_of(bounds->starts[i], bounds->ends[i], bounds->steps[i], static_cast<std::int64_t>(list.size()));
    Places picked = Atoms::pick(list, positions_of(cut));
    if (picked.size() == 1) ctx.freeze(picked, "is sliced out alone");
    ctx.set_out(0, axis, std::move(picked));
  }
}

/// The bounds that take the same positions out of those that stay; fails where they are no row of equal
/// steps.
void shrink(ShrinkContext& ctx) {
  const auto bounds = rule_bounds(ctx);
  if (!bounds) return;
  Ints starts = bounds->starts;
  Ints ends = bounds->ends;
  Ints steps = bounds->steps;
  for (std::size_t i = 0; i < bounds->axes.size(); ++i) {
    const std::int64_t axis = bounds->axes[i];
    const auto* kept = ctx.kept_in(0, axis);
    if (!kept) continue;
    const Cut cut = cut_of(starts[i], ends[i], steps[i], ctx.in(0).dim(axis).number());
    Ints ranks = ranks_of(positions_of(cut), *kept);
    ranks.erase(std::remove(ranks.begin(), ranks.end(), -1), ranks.end());
    if (ranks.empty()) ctx.fail("nothing would be left of axis {}", axis);
    const std::int64_t step = ranks.size() > 1 ? ranks[1] - ranks[0] : (cut.step > 0 ? 1 : -1);
    for (std::size_t k = 1; k < ranks.size(); ++k) {
      if (ranks[k] - ranks[k - 1] != step) ctx.fail("what stays of axis {} is no row of equal steps", axis);
    }
    const auto n = static_cast<std::int64_t>(kept->size());
    const Cut as_it_is = cut_of(starts[i], ends[i], steps[i], n);
    if (positions_of(as_it_is) == ranks) continue;
    const std::int64_t end = ranks.back() + (step > 0 ? 1 : -1);
    starts[i] = ranks.front();
    ends[i] = end < 0 ? -n - 1 : end;
    if (step != steps[i] && !ctx.has(4)) ctx.fail("axis {} needs a step of {}", axis, step);
    steps[i] = step;
  }
  for (std::size_t i = 0; i < bounds->axes.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    if (ctx.opset() < 10) continue;
    if (starts[i] != bounds->starts[i]) ctx.set_element(1, at, starts[i]);
    if (ends[i] != bounds->ends[i]) ctx.set_element(2, at, ends[i]);
    if (steps[i] != bounds->steps[i]) ctx.set_element(4, at, steps[i]);
  }
  if (ctx.opset() >= 10) return;
  if (starts != bounds->starts) ctx.set_attribute({"starts", starts});
  if (ends != bounds->ends) ctx.set_attribute({"ends", ends});
}

/// What is taken, for an input of shape x; `shape` becomes the output's.
template <class Context>
std::optional<Moves> moves_of(Context& ctx, const Dims& x, Dims& shape) {
  const auto bounds =
      bounds_of(ctx, static_cast<std::int64_t>(x.size()),
                [&](std::size_t i, std::string_view name) { return ctx.ints_or_attribute(i, name); });
  if (!bounds) return std::nullopt;
  Moves moves = along_axes(x);
  moves.in_first.assign(x.size(), 0);
  moves.covers_in = false;
  shape = x;
  for (std::size_t i = 0; i < bounds->axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(bounds->axes[i]);
    const Cut cut = cut_of(bounds->starts[i], bounds->ends[i], bounds->steps[i], x[axis]);
    shape[axis] = moves.loops[axis].n = cut.count;
    moves.in_first[axis] = cut.first;
    moves.loops[axis].in_step = cut.count > 1 ? cut.step : 1;
  }
  return moves;
}

bool run(RunContext& ctx) {
  if (ctx.portable() || !can_move(ctx, 0)) return false;
  Dims shape;
  const auto moves = moves_of(ctx, Dims(ctx.shape(0)), shape);
  if (!moves) return false;
  run_moves(ctx, 0, 0, *moves, shape);
  return true;
}

void gradient(GradientContext& ctx) {
  Dims shape;
  const auto moves = moves_of(ctx, Dims(ctx.in_shape(0)), shape);
  if (!moves) ctx.fail("bounds are missing");
  moved_gradient(ctx, 0, 0, *moves);
}

}  // namespace

void register_slice(OpTable& table) {
  table.add({.type = "Slice",
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .shrink = shrink,
             .run = run,
             .gradient = gradient,
             .keep = {.inputs = 0b11110}});
}

}  // namespace compressor::ops

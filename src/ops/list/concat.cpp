// concat: Concat, inputs one after the other along an axis.
#include <numeric>

#include "ops/movement.h"
#include "ops/run_movement.h"

namespace compressor::ops {
namespace {

void compute(ComputeContext& ctx) {
  const std::int64_t axis = axis_in(ctx.node(), ctx.node().int_or("axis", 1), ctx.in(0).rank());
  const auto at = static_cast<std::size_t>(axis);
  Dims shape = ctx.in(0).shape;
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) {
    Dims other = ctx.in(i).shape;
    if (other.size() != shape.size())
      ctx.fail("input {} has rank {}, expected {}", i, other.size(), shape.size());
    shape[at] += other[at];
    other[at] = shape[at];
    if (other != shape)
      ctx.fail("input {} has shape {}, which does not fit {}", i, to_string(ctx.in(i).shape),
               to_string(shape));
  }
  const auto outer = static_cast<std::int64_t>(num_elements({shape.begin(), shape.begin() + axis}));
  const auto inner = static_cast<std::int64_t>(num_elements({shape.begin() + axis + 1, shape.end()}));
  CellsOut out(ctx.in(0).dtype, shape);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    const Cells piece(ctx.in(i));
    const std::int64_t n = ctx.in(i).shape[at] * inner;
    for (std::int64_t o = 0; o < outer; ++o) out.copy(o * shape[at] * inner + offset, piece, o * n, n);
    offset += n;
  }
  ctx.set(0, out.finish());
}

void infer(InferContext& ctx) {
  const Facts* known = nullptr;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (ctx.in(i).ranked) known = &ctx.in(i);
  }
  if (!known) return ctx.set_unranked(0, ctx.in(0).dtype);
  const std::int64_t rank = known->rank();
  const std::int64_t axis = normalize_axis(ctx, ctx.node().int_or("axis", 1), rank);
  SymDims dims(static_cast<std::size_t>(rank));
  SymDim total(0);
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    const Facts& x = ctx.in(i);
    if (!x.ranked) {
      total = SymDim();
      continue;
    }
    if (x.rank() != rank) ctx.fail("input {} has rank {}, expected {}", i, x.rank(), rank);
    total = total + x.dim(axis);
    for (std::size_t k = 0; k < dims.size(); ++k) {
      if (static_cast<std::int64_t>(k) == axis) continue;
      if (dims[k].is_number() && x.dims[k].is_number() && !(dims[k] == x.dims[k])) {
        ctx.fail("input {} has length {} at axis {}, expected {}", i, x.dims[k].number(), k,
                 dims[k].number());
      }
      dims[k] = better_known(dims[k], x.dims[k]);
    }
  }
  dims[static_cast<std::size_t>(axis)] = total;
  ctx.set(0, ctx.in(0).dtype, std::move(dims));
  std::vector<std::size_t> data(ctx.num_inputs());
  std::iota(data.begin(), data.end(), std::size_t{0});
  move_contents(ctx, compute, data);
}

/// Lists end to end; a piece without a list gets frozen places of its own.
void join_ends(ChannelContext& ctx, std::int64_t axis) {
  const std::size_t n = ctx.node().inputs().size();
  bool tracked = false, known = true;
  for (std::size_t i = 0; i < n; ++i) {
    tracked = tracked || !ctx.in_list(i, axis).empty();
    known = known && ctx.in_dim(i, axis) >= 0;
  }
  if (!tracked) return;
  if (!known) {
    for (std::size_t i = 0; i < n; ++i) ctx.freeze(i, axis, "is laid beside channels of unknown number");
    return;
  }
  Places all;
  for (std::size_t i = 0; i < n; ++i) {
    Places piece = ctx.in_list(i, axis);
    if (piece.empty() && ctx.in_dim(i, axis) > 0) {
      piece = ctx.atoms().same(ctx.in_dim(i, axis));
      ctx.freeze(piece, "is laid beside channels, but is not tracked itself");
    }
    all.insert(all.end(), piece.begin(), piece.end());
  }
  ctx.set_out(0, axis, std::move(all));
}

void channels(ChannelContext& ctx) {
  if (!ctx.wants(0) || !carries_channels(ctx.out(0))) return;
  const std::size_t n = ctx.node().inputs().size();
  const std::int64_t rank = ctx.out(0).rank();
  for (std::size_t i = 0; i < n; ++i) {
    if (!ctx.in(i).ranked) return ctx.freeze_all("has an input of unknown rank");
  }
  const std::int64_t axis = axis_in(ctx.node(), ctx.node().int_or("axis", 1), rank);
  for (std::int64_t other = 0; other < rank; ++other) {
    if (other == axis) {
      join_ends(ctx, axis);
      continue;
    }
    Places joined = ctx.in_list(0, other);
    for (std::size_t i = 1; i < n; ++i) {
      ctx.join(joined, ctx.in_list(i, other));
      if (joined.empty()) joined = ctx.in_list(i, other);
    }
    ctx.set_out(0, other, std::move(joined));
  }
}

/// The most of what is laid together decides the order.
Layout layout_of(RunContext& ctx) {
  std::uint64_t last = 0, plain = 0;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (kernels::same_order(ctx.shape(i))) continue;
    (ctx.layout(i) == Layout::kChannelsLast ? last : plain) += num_elements(ctx.shape(i));
  }
  return last > plain ? Layout::kChannelsLast : Layout::kPlain;
}

bool run(RunContext& ctx) {
  if (ctx.portable() || ctx.num_inputs() == 0 || !can_move(ctx, 0)) return false;
  Dims shape = ctx.shape(0);
  const std::int64_t axis =
      axis_in(ctx.node(), ctx.node().int_or("axis", 1), static_cast<std::int64_t>(shape.size()));
  const auto at = static_cast<std::size_t>(axis);
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) {
    if (!can_move(ctx, i) || ctx.dtype(i) != ctx.dtype(0)) return false;
    Dims other = ctx.shape(i);
    if (other.size() != shape.size()) return false;
    shape[at] += other[at];
    other[at] = shape[at];
    if (other != shape) return false;
  }
  const Layout layout = layout_of(ctx);
  std::byte* out = ctx.out(0, ctx.dtype(0), shape, layout);
  Ints first(shape.size(), 0);
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    Moves moves = along_axes(ctx.shape(i));
    moves.out_first = first;
    move_into(ctx, i, moves, shape, layout, out);
    first[at] += ctx.shape(i)[at];
  }
  return true;
}

void gradient(GradientContext& ctx) {
  const std::size_t rank = ctx.out_shape(0).size();
  const auto at = static_cast<std::size_t>(
      axis_in(ctx.node(), ctx.node().int_or("axis", 1), static_cast<std::int64_t>(rank)));
  Ints first(rank, 0);
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    Moves moves = along_axes(ctx.in_shape(i));
    moves.out_first = first;
    moved_gradient(ctx, i, 0, moves);
    first[at] += ctx.in_shape(i)[at];
  }
}

}  // namespace

void register_concat(OpTable& table) {
  table.add({.type = "Concat",
             .since = 4,
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .run = run,
             .gradient = gradient});
}

}  // namespace compressor::ops

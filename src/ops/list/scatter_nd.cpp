// scatter_nd: ScatterND, slices of a tensor replaced or combined at the places that indices name.
#include <algorithm>
#include <cstring>

#include "ops/places.h"
#include "ops/run_movement.h"
#include "ops/run_scatter.h"

namespace compressor::ops {
namespace {

template <class T>
T combined(const std::string& how, T a, T b) {
  if (how == "add") return static_cast<T>(a + b);
  if (how == "mul") return static_cast<T>(a * b);
  return how == "max" ? std::max(a, b) : std::min(a, b);
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Tensor& updates = ctx.in(2);
  const NamedSlices places = named_slices(ctx.node(), x.shape, ctx.in(1));
  const std::int64_t slice = places.slice;
  if (updates.size() != places.offsets.size() * static_cast<std::uint64_t>(slice)) {
    ctx.fail("{} updates, expected {} slices of {}", updates.size(), places.offsets.size(), slice);
  }
  const std::string how = ctx.node().string_or("reduction", "none");
  if (how == "none") {
    CellsOut out(x.dtype, x.shape);
    const Cells base(x);
    const Cells news(updates);
    out.copy(0, base, 0, out.size());
    std::int64_t from = 0;
    for (const std::int64_t at : places.offsets) {
      out.copy(at, news, from, slice);
      from += slice;
    }
    return ctx.set(0, out.finish());
  }
  with_domain(x.dtype, [&]<class T>(T) {
    const Elements<T> base(x);
    const Elements<T> news(updates);
    Result<T> out(x.dtype, x.shape);
    std::copy(base.span().begin(), base.span().end(), out.data());
    std::int64_t from = 0;
    for (const std::int64_t at : places.offsets) {
      for (std::int64_t k = at; k < at + slice; ++k) out[k] = combined(how, out[k], news[from++]);
    }
    ctx.set(0, out.finish());
  });
}

/// Where slices go that lie together on both sides.
struct Piece {
  std::size_t from = 0, to = 0, size = 0;  ///< bytes
};
struct State {
  Dims shape;
  std::vector<Piece> pieces;
};

std::vector<Piece> pieces_of(const Ints& offsets, std::size_t element, std::size_t slice) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const Piece next{i * slice, static_cast<std::size_t>(offsets[i]) * element, slice};
    if (!pieces.empty() && pieces.back().to + pieces.back().size == next.to) {
      pieces.back().size += slice;
    } else {
      pieces.push_back(next);
    }
  }
  return pieces;
}

/// Slices replaced in place where nobody else reads the tensor.
bool run(RunContext& ctx) {
  if (ctx.portable() || !can_move(ctx, 0) || !can_move(ctx, 2)) return false;
  if (ctx.node().string_or("reduction", "none") != "none" || ctx.dtype(0) != ctx.dtype(2)) return false;
  const Dims shape = ctx.shape(0);
  const Dims& at = ctx.shape(1);
  if (at.empty() || at.back() > static_cast<std::int64_t>(shape.size())) return false;
  const auto element = static_cast<std::size_t>(bits(ctx.dtype(2))) / 8;
  const std::size_t slice = num_elements({shape.begin() + at.back(), shape.end()}) * element;
  const std::uint64_t count = num_elements({at.begin(), at.end() - 1});
  if (at.back() == 0 || ctx.value(2).tensor.bytes.size() != count * slice) return false;
  auto& state = ctx.state().get<State>();
  if (state.shape != shape || !ctx.is_constant(1)) {
    state = {shape, pieces_of(named_slices(ctx.node(), shape, ctx.in(1)).offsets, element, slice)};
  }
  const auto* news = ctx.in(2).bytes.view().data();
  const auto* base = ctx.in(0).bytes.view().data();
  const std::size_t size = ctx.in(0).bytes.size();
  std::byte* y = ctx.out_over(0, 0, ctx.dtype(2), shape, Layout::kPlain);
  if (y != base) std::memcpy(y, base, size);
  for (const Piece& p : state.pieces) std::memcpy(y + p.to, news + p.from, p.size);
  return true;
}

void infer(InferContext& ctx) {
  infer_same(ctx);
  if (ctx.node().string_or("reduction", "none") != "none") return;
  const std::size_t data[] = {0, 2};
  move_contents(ctx, compute, data);
}

/// Axes that indices point into are frozen; the slices behind them pass.
void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!ctx.wants(0) || !carries_channels(x)) return;
  const Facts& indices = ctx.in(1);
  const Facts& updates = ctx.in(2);
  const auto depth = indices.ranked && indices.rank() > 0 ? indices.dim(-1).maybe_number() : std::nullopt;
  if (!depth || *depth > x.rank() || !updates.ranked)
    return ctx.freeze_all("is scattered in a way that is not known");
  for (std::int64_t axis = 0; axis < *depth; ++axis) {
    ctx.freeze(0, axis, "is scattered into by index");
    ctx.pass(0, axis, 0, axis);
  }
  for (std::int64_t axis = *depth; axis < x.rank(); ++axis) {
    const Places list = ctx.in_list(0, axis);
    ctx.join(list, ctx.in_list(2, axis - x.rank()));
    ctx.set_out(0, axis, list);
  }
  // Updates and indices must stay as many as each other.
  for (std::int64_t axis = 0; axis + 1 < indices.rank(); ++axis) {
    ctx.freeze(1, axis, "is a list of places to scatter to");
    if (axis < updates.rank()) ctx.freeze(2, axis, "is scattered by index");
  }
  ctx.freeze(1, -1, "is a list of places to scatter to");
}

}  // namespace

void register_scatter_nd(OpTable& table) {
  table.add({.type = "ScatterND",
             .since = 11,
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .run = run,
             .gradient = scatter_nd_gradient,
             .keep = {.inputs = 2}});
}

}  // namespace compressor::ops

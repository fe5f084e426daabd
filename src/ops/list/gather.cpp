// gather: Gather, slices of an axis by index: embedding tables, channel shuffles, elements of shapes.
#include <algorithm>

#include "ops/movement.h"
#include "ops/run_gather.h"

namespace compressor::ops {
namespace {

std::int64_t axis_of(const Node& node, std::int64_t rank) {
  return axis_in(node, node.int_or("axis", 0), rank);
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Tensor& indices = ctx.in(1);
  const std::int64_t axis = axis_of(ctx.node(), x.rank());
  const auto at = x.shape.begin() + axis;
  const std::int64_t n = *at;
  Dims shape(x.shape.begin(), at);
  const auto outer = static_cast<std::int64_t>(num_elements(shape));
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  const auto inner = static_cast<std::int64_t>(num_elements({at + 1, x.shape.end()}));
  shape.insert(shape.end(), at + 1, x.shape.end());
  Ints wanted = to_ints(indices);
  for (std::int64_t& i : wanted) {
    if (i < -n || i >= n) ctx.fail("index {} is outside an axis of {}", i, n);
    if (i < 0) i += n;
  }
  const Cells from(x);
  CellsOut out(x.dtype, shape);
  std::int64_t to = 0;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int64_t i : wanted) {
      out.copy(to, from, (o * n + i) * inner, inner);
      to += inner;
    }
  }
  ctx.set(0, out.finish());
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& indices = ctx.in(1);
  if (!x.ranked || !indices.ranked) return ctx.set_unranked(0, x.dtype);
  const std::int64_t axis = axis_of(ctx.node(), x.rank());
  SymDims dims(x.dims.begin(), x.dims.begin() + axis);
  dims.insert(dims.end(), indices.dims.begin(), indices.dims.end());
  dims.insert(dims.end(), x.dims.begin() + axis + 1, x.dims.end());
  ctx.set(0, x.dtype, std::move(dims));
  const std::size_t data[] = {0};
  move_contents(ctx, compute, data);
}

/// The constant indices, counted from the front; nullopt when they are not constant.
template <class Context>
std::optional<Ints> constant_indices(const Context& ctx, std::int64_t n) {
  const Facts& f = ctx.in(1);
  auto indices = known_ints(f);
  if (!indices && f.constant) indices = to_ints(*f.constant);
  if (!indices) return std::nullopt;
  for (std::int64_t& i : *indices) {
    if (i < 0) i += n;
    if (i < 0 || i >= n) return std::nullopt;
  }
  return indices;
}

/// The one axis of the indices that is longer than 1; -1 when there is none, -2 when there are several.
std::int64_t long_axis(const Facts& indices) {
  std::int64_t found = -1;
  for (std::int64_t k = 0; k < indices.rank(); ++k) {
    if (indices.dim(k) == SymDim(1)) continue;
    if (found != -1) return -2;
    found = k;
  }
  return found;
}

void indexed_axis(ChannelContext& ctx, std::int64_t axis) {
  const Facts& f = ctx.in(1);
  const Places list = ctx.in_list(0, axis);
  if (list.empty()) {
    // What is looked up at each position may itself be a list of positions.
    if (!carries_channels(f)) return;
    for (std::int64_t k = 0; k < f.rank(); ++k) ctx.pass(1, k, 0, axis + k);
    return;
  }
  const auto indices = constant_indices(ctx, static_cast<std::int64_t>(list.size()));
  if (!indices) {
    ctx.freeze(list, "is looked up by index");
    if (!carries_channels(f)) return;
    for (std::int64_t k = 0; k < f.rank(); ++k) ctx.pass(1, k, 0, axis + k);
    return;
  }
  const std::int64_t along = long_axis(f);
  Places picked = Atoms::pick(list, *indices);
  if (along >= 0) return ctx.set_out(0, axis + along, std::move(picked));
  ctx.freeze(picked, along == -1 ? "is selected by index" : "is selected by a table of indices");
}

void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!ctx.wants(0) || !carries_channels(x)) return;
  if (!ctx.in(1).ranked) return ctx.freeze_all("has indices of unknown rank");
  const std::int64_t axis = axis_of(ctx.node(), x.rank());
  const std::int64_t added = ctx.in(1).rank() - 1;
  const bool table = !ctx.in(1).contents && !ctx.in(1).constant;
  for (std::int64_t other = 0; other < x.rank(); ++other) {
    if (other == axis) continue;
    ctx.pass(0, other, 0, other < axis ? other : other + added);
    if (table && !ctx.in_list(0, other).empty()) ctx.role(0, other, AxisRole::kProducer);
  }
  indexed_axis(ctx, axis);
}

/// Indices become ranks among the positions that stay.
void shrink(ShrinkContext& ctx) {
  const std::int64_t axis = axis_of(ctx.node(), ctx.in(0).rank());
  const auto* kept = ctx.kept_in(0, axis);
  if (!kept) return;
  const auto indices = constant_indices(ctx, ctx.in(0).dim(axis).maybe_number().value_or(-1));
  if (!indices) ctx.fail("indices of an axis that was cut are not constant");
  Ints ranks = ranks_of(*indices, *kept);
  const std::int64_t along = long_axis(ctx.in(1));
  if (along >= 0) ranks.erase(std::remove(ranks.begin(), ranks.end(), -1), ranks.end());
  if (ranks.empty() || std::find(ranks.begin(), ranks.end(), -1) != ranks.end()) {
    ctx.fail("an index points to a position that was removed");
  }
  Dims shape = *ctx.in(1).shape();
  if (along >= 0) shape[static_cast<std::size_t>(along)] = static_cast<std::int64_t>(ranks.size());
  Result<std::int64_t> result(ctx.in(1).dtype, shape);
  std::copy(ranks.begin(), ranks.end(), result.data());
  ctx.set_constant(1, result.finish());
}

}  // namespace

void register_gather(OpTable& table) {
  table.add({.type = "Gather",
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .shrink = shrink,
             .run = run_gather,
             .gradient = gather_gradient,
             .keep = {.inputs = 2}});
}

}  // namespace compressor::ops

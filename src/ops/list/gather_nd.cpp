// gather_nd: GatherND, slices by tuples of indices, batch by batch.
#include "ops/places.h"
#include "ops/run_gather.h"

namespace compressor::ops {
namespace {

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Tensor& indices = ctx.in(1);
  const std::int64_t batch = ctx.node().int_or("batch_dims", 0);
  const NamedSlices places = named_slices(ctx.node(), x.shape, indices, batch);
  const std::int64_t depth = indices.shape.back();
  if (depth < 1) ctx.fail("indices of depth {} into {}", depth, to_string(x.shape));
  Dims shape(indices.shape.begin(), indices.shape.end() - 1);
  shape.insert(shape.end(), x.shape.begin() + batch + depth, x.shape.end());
  const Cells from(x);
  CellsOut out(x.dtype, shape);
  std::int64_t to = 0;
  for (const std::int64_t at : places.offsets) {
    out.copy(to, from, at, places.slice);
    to += places.slice;
  }
  ctx.set(0, out.finish());
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& indices = ctx.in(1);
  const std::int64_t batch = ctx.node().int_or("batch_dims", 0);
  const auto depth = indices.ranked && indices.rank() > 0 ? indices.dim(-1).maybe_number() : std::nullopt;
  if (!x.ranked || !depth) return ctx.set_unranked(0, x.dtype);
  if (batch < 0 || batch + *depth > x.rank())
    ctx.fail("indices of depth {} into {}", *depth, to_string(x.dims));
  SymDims dims(indices.dims.begin(), indices.dims.end() - 1);
  dims.insert(dims.end(), x.dims.begin() + batch + *depth, x.dims.end());
  ctx.set(0, x.dtype, std::move(dims));
  const std::size_t data[] = {0};
  move_contents(ctx, compute, data);
}

/// Axes that are indexed are frozen; those behind them pass.
void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& indices = ctx.in(1);
  if (!ctx.wants(0) || !carries_channels(x)) return;
  const std::int64_t batch = ctx.node().int_or("batch_dims", 0);
  const auto depth = indices.ranked && indices.rank() > 0 ? indices.dim(-1).maybe_number() : std::nullopt;
  if (!depth || batch != 0 || *depth > x.rank() || !ctx.out(0).ranked) {
    return ctx.freeze_all("is gathered in a way that cannot be followed");
  }
  for (std::int64_t axis = 0; axis < *depth; ++axis) ctx.freeze(0, axis, "is selected by index");
  for (std::int64_t axis = 0; axis < indices.rank(); ++axis) ctx.freeze(1, axis, "is a list of indices");
  for (std::int64_t axis = *depth; axis < x.rank(); ++axis) ctx.pass(0, axis, 0, axis - x.rank());
}

}  // namespace

void register_gather_nd(OpTable& table) {
  table.add({.type = "GatherND",
             .since = 11,
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .gradient = gather_nd_gradient,
             .keep = {.inputs = 2}});
}

}  // namespace compressor::ops

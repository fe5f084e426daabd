// gather_nd: GatherND, slices by tuples of indices, batch by batch.
#include "ops/movement.h"

namespace compressor::ops {
namespace {

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Tensor& indices = ctx.in(1);
  const std::int64_t batch = ctx.node().int_or("batch_dims", 0);
  if (indices.rank() == 0 || batch < 0 || batch >= indices.rank() || batch > x.rank()) {
    ctx.fail("indices of shape {} with batch_dims {}", to_string(indices.shape), batch);
  }
  const std::int64_t depth = indices.shape.back();
  if (depth < 1 || batch + depth > x.rank())
    ctx.fail("indices of depth {} into {}", depth, to_string(x.shape));
  const auto behind = x.shape.begin() + batch + depth;
  const auto slice = static_cast<std::int64_t>(num_elements({behind, x.shape.end()}));
  const auto batches = static_cast<std::int64_t>(num_elements({x.shape.begin(), x.shape.begin() + batch}));
  Dims shape(indices.shape.begin(), indices.shape.end() - 1);
  shape.insert(shape.end(), behind, x.shape.end());
  const Strides strides = row_major(x.shape);
  const Ints flat = to_ints(indices);
  const auto tuples = static_cast<std::int64_t>(flat.size()) / depth;
  const std::int64_t per_batch = batches > 0 ? tuples / batches : 0;
  const std::int64_t batch_stride = batches > 0 ? static_cast<std::int64_t>(x.size()) / batches : 0;
  const Cells from(x);
  CellsOut out(x.dtype, shape);
  for (std::int64_t t = 0; t < tuples; ++t) {
    std::int64_t at = t / per_batch * batch_stride;
    for (std::int64_t k = 0; k < depth; ++k) {
      const auto axis = static_cast<std::size_t>(batch + k);
      std::int64_t i = flat[static_cast<std::size_t>(t * depth + k)];
      if (i < -x.shape[axis] || i >= x.shape[axis]) {
        ctx.fail("index {} is outside axis {} of length {}", i, axis, x.shape[axis]);
      }
      if (i < 0) i += x.shape[axis];
      at += i * strides[axis];
    }
    out.copy(t * slice, from, at, slice);
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
  table.add({.type = "GatherND", .since = 11, .infer = infer, .compute = compute, .channels = channels});
}

}  // namespace compressor::ops

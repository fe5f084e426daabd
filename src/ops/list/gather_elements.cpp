// gather_elements: GatherElements, an element of an axis by index at every position.
#include "ops/movement.h"
#include "ops/run_gather.h"

namespace compressor::ops {
namespace {

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Tensor& indices = ctx.in(1);
  if (indices.rank() != x.rank()) ctx.fail("indices have rank {}, expected {}", indices.rank(), x.rank());
  const std::int64_t axis = axis_in(ctx.node(), ctx.node().int_or("axis", 0), x.rank());
  const std::int64_t n = x.shape[static_cast<std::size_t>(axis)];
  for (std::size_t k = 0; k < x.shape.size(); ++k) {
    if (static_cast<std::int64_t>(k) != axis && indices.shape[k] > x.shape[k]) {
      ctx.fail("indices of shape {} into {}", to_string(indices.shape), to_string(x.shape));
    }
  }
  const Strides own = row_major(x.shape);
  Strides strides = own;
  strides[static_cast<std::size_t>(axis)] = 0;
  const std::int64_t along = own[static_cast<std::size_t>(axis)];
  const Ints wanted = to_ints(indices);
  const Cells from(x);
  CellsOut out(x.dtype, indices.shape);
  walk<1>(indices.shape, {strides}, {0}, [&](const Run<1>& run) {
    for (std::int64_t i = 0; i < run.count; ++i) {
      std::int64_t k = wanted[static_cast<std::size_t>(run.out + i)];
      if (k < -n || k >= n) ctx.fail("index {} is outside an axis of {}", k, n);
      if (k < 0) k += n;
      out.copy(run.out + i, from, run.at[0] + i * run.step[0] + k * along);
    }
  });
  ctx.set(0, out.finish());
}

void infer(InferContext& ctx) {
  if (!ctx.in(1).ranked) return ctx.set_unranked(0, ctx.in(0).dtype);
  ctx.set(0, ctx.in(0).dtype, ctx.in(1).dims);
  const std::size_t data[] = {0};
  move_contents(ctx, compute, data);
}

}  // namespace

void register_gather_elements(OpTable& table) {
  table.add({.type = "GatherElements",
             .since = 11,
             .infer = infer,
             .compute = compute,
             .channels = [](ChannelContext& ctx) { ctx.freeze_all("is gathered element by element"); },
             .gradient = gather_elements_gradient,
             .keep = {.inputs = 2}});
}

}  // namespace compressor::ops

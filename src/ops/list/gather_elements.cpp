// gather_elements: GatherElements, an element of an axis by index at every position.
#include "ops/places.h"
#include "ops/run_gather.h"

namespace compressor::ops {
namespace {

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Ints places = named_elements(ctx.node(), x.shape, ctx.in(1));
  const Cells from(x);
  CellsOut out(x.dtype, ctx.in(1).shape);
  std::int64_t to = 0;
  for (const std::int64_t at : places) out.copy(to++, from, at);
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

// where: Where, x where the condition holds and y elsewhere, all broadcast.
#include "ops/elementwise.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  infer_broadcast(ctx, ctx.in(1).dtype);
  contents_elementwise(ctx, [](std::span<const SymDim> in) -> SymDim {
    if (in[0].is_number()) return in[0].number() != 0 ? in[1] : in[2];
    return in[1] == in[2] ? in[1] : SymDim();
  });
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(1);
  const Tensor& y = ctx.in(2);
  const Tensor& condition = ctx.in(0);
  const Dims shape = broadcast_shape(broadcast_shape(condition.shape, x.shape), y.shape);
  const Elements<std::int64_t> choose(condition);
  const Cells a(x);
  const Cells b(y);
  CellsOut out(x.dtype, shape);
  walk<3>(shape,
          {broadcast_strides(condition.shape, shape), broadcast_strides(x.shape, shape),
           broadcast_strides(y.shape, shape)},
          {0, 0, 0}, [&](const Run<3>& run) {
            for (std::int64_t i = 0; i < run.count; ++i) {
              if (choose[run.at[0] + i * run.step[0]] != 0) {
                out.copy(run.out + i, a, run.at[1] + i * run.step[1]);
              } else {
                out.copy(run.out + i, b, run.at[2] + i * run.step[2]);
              }
            }
          });
  ctx.set(0, out.finish());
}

}  // namespace

void register_where(OpTable& table) {
  table.add({.type = "Where",
             .since = 9,
             .infer = infer,
             .cost = cost_elementwise,
             .compute = compute,
             .channels = channels_broadcast});
}

}  // namespace compressor::ops

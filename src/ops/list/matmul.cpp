// MatMul: numpy's matrix product.
#include "ops/matmul.h"

#include "ops/multiply.h"
#include "ops/run_product.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const auto shape = product_shape(ctx, {});
  if (!shape) return ctx.set_unranked(0, ctx.in(0).dtype);
  ctx.set(0, ctx.in(0).dtype, *shape);
}

Cost cost(const CostContext& ctx) {
  return product_cost(ctx, {});
}

void channels(ChannelContext& ctx) {
  product_channels(ctx, {});
}

void compute(ComputeContext& ctx) {
  ctx.set(0, multiply(ctx, ctx.in(0), ctx.in(1)));
}

}  // namespace

void register_matmul(OpTable& table) {
  table.add({.type = "MatMul",
             .infer = infer,
             .cost = cost,
             .compute = compute,
             .channels = channels,
             .run = run_matmul,
             .fuses = true,
             .gradient = matmul_gradient,
             .keep = {.inputs = 3}});
}

}  // namespace compressor::ops

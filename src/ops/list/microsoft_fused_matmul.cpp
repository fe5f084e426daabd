// com.microsoft FusedMatMul (once TransposeMatMul): a matrix product that transposes and scales on the way.
#include <algorithm>

#include "ops/elements.h"
#include "ops/matmul.h"
#include "ops/multiply.h"
#include "ops/strided.h"

namespace compressor::ops {
namespace {

Product product(const Node& node) {
  return {.a = 0, .b = 1, .trans_a = node.int_or("transA", 0) != 0, .trans_b = node.int_or("transB", 0) != 0};
}

/// transBatchA, transBatchB move the first axis behind the batch axes.
bool moves_batch(const Node& node) {
  return node.int_or("transBatchA", 0) != 0 || node.int_or("transBatchB", 0) != 0;
}

void infer(InferContext& ctx) {
  if (moves_batch(ctx.node())) return ctx.set_unranked(0, ctx.in(0).dtype);
  const auto shape = product_shape(ctx, product(ctx.node()));
  if (!shape) return ctx.set_unranked(0, ctx.in(0).dtype);
  ctx.set(0, ctx.in(0).dtype, *shape);
}

Cost cost(const CostContext& ctx) {
  return moves_batch(ctx.node()) ? Cost{} : product_cost(ctx, product(ctx.node()));
}

void channels(ChannelContext& ctx) {
  if (moves_batch(ctx.node())) return ctx.freeze_all("transposes batch axes");
  product_channels(ctx, product(ctx.node()));
}

/// [rows, batch.., columns] -> [batch.., rows, columns]
Tensor batch_first(const ComputeContext& ctx, const Tensor& x) {
  if (x.rank() < 3) ctx.fail("an operand of rank {} has no batch axes to transpose", x.rank());
  Dims shape = x.shape;
  Strides strides = row_major(shape);
  std::rotate(shape.begin(), shape.begin() + 1, shape.end() - 1);
  std::rotate(strides.begin(), strides.begin() + 1, strides.end() - 1);
  return take_strided(x, shape, strides);
}

void compute(ComputeContext& ctx) {
  const Product p = product(ctx.node());
  const bool move_a = ctx.node().int_or("transBatchA", 0) != 0;
  const bool move_b = ctx.node().int_or("transBatchB", 0) != 0;
  // A vector is the same transposed.
  ctx.set(0,
          multiply(ctx, move_a ? batch_first(ctx, ctx.in(0)) : ctx.in(0),
                   move_b ? batch_first(ctx, ctx.in(1)) : ctx.in(1), p.trans_a && ctx.in(0).rank() > 1,
                   p.trans_b && ctx.in(1).rank() > 1, static_cast<double>(ctx.node().float_or("alpha", 1))));
}

}  // namespace

void register_microsoft_fused_matmul(OpTable& table) {
  for (const char* type : {"FusedMatMul", "TransposeMatMul"}) {
    table.add({.type = type,
               .domain = "com.microsoft",
               .infer = infer,
               .cost = cost,
               .compute = compute,
               .channels = channels});
  }
}

}  // namespace compressor::ops

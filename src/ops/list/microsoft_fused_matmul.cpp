// com.microsoft FusedMatMul: a matrix product that transposes and scales on the way.
#include "ops/matmul.h"

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

}  // namespace

void register_microsoft_fused_matmul(OpTable& table) {
  table.add(
      {.type = "FusedMatMul", .domain = "com.microsoft", .infer = infer, .cost = cost, .channels = channels});
}

}  // namespace compressor::ops

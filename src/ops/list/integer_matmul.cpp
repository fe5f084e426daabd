// MatMulInteger, QLinearMatMul: products of 8-bit matrices, to int32 or back to 8 bits.
#include "ops/matmul.h"

namespace compressor::ops {
namespace {

bool is_integer_product(const Node& node) {
  return node.op() == "MatMulInteger";
}

Product operands(const Node& node) {
  Product p;
  if (!is_integer_product(node)) p.b = 3;
  return p;
}

void infer(InferContext& ctx) {
  const DType dtype = is_integer_product(ctx.node()) ? DType::kInt32 : ctx.in(7).dtype;
  auto shape = product_shape(ctx, operands(ctx.node()));
  if (!shape) return ctx.set_unranked(0, dtype);
  ctx.set(0, dtype, std::move(*shape));
}

Cost cost(const CostContext& ctx) {
  return product_cost(ctx, operands(ctx.node()));
}

// A parameter of operand `x` that is not a single number goes with the operand's outer axis.
void join_parameter(ChannelContext& ctx, std::size_t parameter, std::size_t x, std::int64_t axis) {
  if (!ctx.has(parameter)) return;
  const Facts& f = ctx.in(parameter);
  if (!f.ranked || f.rank() == 0 || product(f.dims) == SymDim(1)) return;
  if (f.rank() == 1 && ctx.in(x).rank() >= 2)
    return ctx.join(ctx.in_list(x, axis), ctx.in_list(parameter, 0));
  for (std::int64_t i = 0; i < f.rank(); ++i) ctx.freeze(parameter, i, "per-row parameter of a batch");
  ctx.freeze(x, axis, "per-row parameter of a batch");
}

void channels(ChannelContext& ctx) {
  const Product p = operands(ctx.node());
  product_channels(ctx, p);
  if (is_integer_product(ctx.node())) {
    join_parameter(ctx, 2, p.a, -2);
    join_parameter(ctx, 3, p.b, -1);
    return;
  }
  for (std::size_t i = 1; i < 3; ++i) join_parameter(ctx, i, p.a, -2);
  for (std::size_t i = 4; i < 6; ++i) join_parameter(ctx, i, p.b, -1);
  for (std::size_t i = 6; i < 8; ++i) {
    if (product(ctx.in(i).dims) == SymDim(1)) continue;
    return ctx.freeze_all("the output is quantized with more than one scale");
  }
}

}  // namespace

void register_integer_matmul(OpTable& table) {
  for (const char* type : {"MatMulInteger", "QLinearMatMul"}) {
    table.add({.type = type, .infer = infer, .cost = cost, .channels = channels});
  }
}

}  // namespace compressor::ops

// MatMulInteger, QLinearMatMul: products of 8-bit matrices, to int32 or back to 8 bits.
#include "ops/integer_matrix.h"
#include "ops/matmul.h"
#include "ops/quantized.h"

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

// a, b, a's zero point, b's -> int32
void compute_integer(ComputeContext& ctx) {
  const ProductPlan plan = plan_product(ctx, ctx.in(0).shape, ctx.in(1).shape);
  ctx.set(0,
          tensor_of_ints(plan.shape, integer_products(plan, left_rows(ctx, 0, 2), right_columns(ctx, 1, 3))));
}

// a, scale, zero point, b, scale, zero point, y's scale, zero point: round(sum a_scale b_scale / y_scale) +
// zero
void compute_qlinear(ComputeContext& ctx) {
  const ProductPlan plan = plan_product(ctx, ctx.in(0).shape, ctx.in(3).shape);
  const std::vector<std::int32_t> sums =
      integer_products(plan, left_rows(ctx, 0, 2), right_columns(ctx, 3, 5));
  const PerLine a_scale(ctx, 1, plan.m);
  const PerLine b_scale(ctx, 4, plan.n);
  const float y_scale = scale(ctx, 6);
  const DType type = ctx.in(7).dtype;
  expect_8_bits(ctx, type, "the output's zero point");
  const Rounder round(type, zero_point(ctx, 7));
  std::vector<std::byte> y(sums.size());
  std::vector<float> factors(static_cast<std::size_t>(plan.n));
  std::size_t at = 0;
  for (const ProductPlan::Pair& pair : plan.pairs) {
    for (std::int64_t row = 0; row < plan.m; ++row) {
      const float left = a_scale.at(pair.a, row);
      for (std::int64_t column = 0; column < plan.n; ++column) {
        factors[static_cast<std::size_t>(column)] = left * b_scale.at(pair.b, column) / y_scale;
      }
      for (std::size_t column = 0; column < factors.size(); ++column, ++at) {
        y[at] = static_cast<std::byte>(round(static_cast<float>(sums[at]) * factors[column]));
      }
    }
  }
  ctx.set(0, tensor_of_bytes(type, plan.shape, std::move(y)));
}

}  // namespace

void register_integer_matmul(OpTable& table) {
  table.add({.type = "MatMulInteger",
             .infer = infer,
             .cost = cost,
             .compute = compute_integer,
             .channels = channels});
  table.add({.type = "QLinearMatMul",
             .infer = infer,
             .cost = cost,
             .compute = compute_qlinear,
             .channels = channels});
}

}  // namespace compressor::ops

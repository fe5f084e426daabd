// com.microsoft QGemm, MatMulIntegerToFloat, DynamicQuantizeMatMul: products of 8-bit matrices to floats, or
// back to 8 bits.
#include "ops/expect.h"
#include "ops/integer_matrix.h"
#include "ops/matmul.h"
#include "ops/movement.h"
#include "ops/quantized.h"

namespace compressor::ops {
namespace {

bool flag(const Node& node, const char* name) {
  return node.int_or(name, 0) != 0;
}

Product gemm_operands(const Node& node) {
  return {.a = 0, .b = 3, .trans_a = flag(node, "transA"), .trans_b = flag(node, "transB")};
}

/// sums [batch.., m, n] times a factor per column, plus a bias per column.
std::vector<float> scaled(
    const ProductPlan& plan, const std::vector<std::int32_t>& sums,
    const std::function<float(const ProductPlan::Pair&, std::int64_t, std::int64_t)>& factor,
    const std::vector<float>& bias) {
  std::vector<float> y(sums.size());
  std::size_t at = 0;
  for (const ProductPlan::Pair& pair : plan.pairs) {
    for (std::int64_t row = 0; row < plan.m; ++row) {
      for (std::int64_t column = 0; column < plan.n; ++column, ++at) {
        y[at] =
            static_cast<float>(sums[at]) * factor(pair, row, column) + bias[static_cast<std::size_t>(column)];
      }
    }
  }
  return y;
}

std::vector<float> bias_or_zeros(const ComputeContext& ctx, std::size_t i, std::int64_t n) {
  if (!ctx.has(i)) return std::vector<float>(static_cast<std::size_t>(n), 0.0F);
  return scales(ctx, i, n);
}

// a, a_scale, a_zp, b, b_scale, b_zp, c, y_scale, y_zp
void infer_gemm(InferContext& ctx) {
  const DType type = ctx.has(8) ? ctx.in(8).dtype : ctx.has(7) ? ctx.in(0).dtype : DType::kFloat;
  expect_rank(ctx, ctx.in(0), "A", 2, 2);
  expect_rank(ctx, ctx.in(3), "B", 2, 2);
  const auto shape = product_shape(ctx, gemm_operands(ctx.node()));
  if (!shape) return ctx.set_unranked(0, type);
  ctx.set(0, type, *shape);
}

Cost cost_gemm(const CostContext& ctx) {
  return product_cost(ctx, gemm_operands(ctx.node()));
}

Tensor swapped(const Tensor& x) {
  return take_strided(x, {x.shape[1], x.shape[0]}, {1, x.shape[1]});
}

// alpha a_scale b_scale (sum + c), then to 8 bits where y's scale is there
void compute_gemm(ComputeContext& ctx) {
  if (ctx.in(0).rank() != 2 || ctx.in(3).rank() != 2) ctx.fail("operands have other ranks than 2");
  const Product operands = gemm_operands(ctx.node());
  const Tensor a = operands.trans_a ? swapped(ctx.in(0)) : ctx.in(0);
  Dims b_shape = ctx.in(3).shape;
  if (operands.trans_b) std::swap(b_shape[0], b_shape[1]);
  const ProductPlan plan = plan_product(ctx, a.shape, b_shape);
  ComputeContext left(ctx.node(), ctx.opset(), {&a, nullptr, ctx.has(2) ? &ctx.in(2) : nullptr});
  std::vector<std::int32_t> sums =
      integer_products(plan, left_rows(left, 0, 2), right_columns(ctx, 3, 5, operands.trans_b));
  if (ctx.has(6)) {
    const Elements<std::int64_t> c(ctx.in(6));
    walk<1>(plan.shape, {broadcast_strides(ctx.in(6).shape, plan.shape)}, {0}, [&](const Run<1>& run) {
      for (std::int64_t i = 0; i < run.count; ++i) {
        sums[static_cast<std::size_t>(run.out + i)] +=
            static_cast<std::int32_t>(c[run.at[0] + i * run.step[0]]);
      }
    });
  }
  const float by = ctx.node().float_or("alpha", 1.0F) * scale(ctx, 1);
  const PerLine b_scale(ctx, 4, plan.n);
  const std::vector<float> zeros(static_cast<std::size_t>(plan.n), 0.0F);
  const float y_scale = ctx.has(7) ? scale(ctx, 7) : 1.0F;
  const std::vector<float> y = scaled(
      plan, sums,
      [&](const ProductPlan::Pair& pair, std::int64_t, std::int64_t column) {
        return by * b_scale.at(pair.b, column) / y_scale;
      },
      zeros);
  if (!ctx.has(7)) return ctx.set(0, tensor_of_floats(plan.shape, y));
  const DType type = ctx.has(8) ? ctx.in(8).dtype : a.dtype;
  expect_8_bits(ctx, type, "the output's zero point");
  const Rounder round(type, zero_point(ctx, 8));
  std::vector<std::byte> codes;
  codes.reserve(y.size());
  for (const float v : y) codes.push_back(static_cast<std::byte>(round(v)));
  ctx.set(0, tensor_of_bytes(type, plan.shape, std::move(codes)));
}

void infer_to_float(InferContext& ctx) {
  const bool dynamic = ctx.node().op() == "DynamicQuantizeMatMul";
  const DType type = ctx.in(dynamic ? 0 : 2).dtype;
  const auto shape = product_shape(ctx, {});
  if (!shape) return ctx.set_unranked(0, type);
  ctx.set(0, type, *shape);
}

Cost cost_to_float(const CostContext& ctx) {
  return product_cost(ctx, {});
}

// a, b, a_scale, b_scale, a_zp, b_zp, bias -> sum a_scale b_scale + bias
void compute_to_float(ComputeContext& ctx) {
  const ProductPlan plan = plan_product(ctx, ctx.in(0).shape, ctx.in(1).shape);
  const std::vector<std::int32_t> sums =
      integer_products(plan, left_rows(ctx, 0, 4), right_columns(ctx, 1, 5));
  const PerLine a_scale(ctx, 2, plan.m);
  const PerLine b_scale(ctx, 3, plan.n);
  const std::vector<float> y = scaled(
      plan, sums,
      [&](const ProductPlan::Pair& pair, std::int64_t row, std::int64_t column) {
        return a_scale.at(pair.a, row) * b_scale.at(pair.b, column);
      },
      bias_or_zeros(ctx, 6, plan.n));
  ctx.set(0, Tensor::of(ctx.in(2).dtype, plan.shape, std::vector<double>(y.begin(), y.end())));
}

// a of floats, b, b_scale, b_zp, bias: a is quantized to uint8 by its own range
void compute_dynamic(ComputeContext& ctx) {
  const ProductPlan plan = plan_product(ctx, ctx.in(0).shape, ctx.in(1).shape);
  const Elements<float> x(ctx.in(0));
  const DynamicRange range = dynamic_range(x.span());
  const Rounder round(DType::kUint8, range.zero);
  std::vector<std::int16_t> a;
  a.reserve(x.size());
  for (const float v : x.span())
    a.push_back(static_cast<std::int16_t>(round(v / range.divisor()) - range.zero));
  const std::vector<std::int32_t> sums = integer_products(plan, a, right_columns(ctx, 1, 3));
  const PerLine b_scale(ctx, 2, plan.n);
  ctx.set(0, tensor_of_floats(plan.shape,
                              scaled(
                                  plan, sums,
                                  [&](const ProductPlan::Pair& pair, std::int64_t, std::int64_t column) {
                                    return range.scale * b_scale.at(pair.b, column);
                                  },
                                  bias_or_zeros(ctx, 4, plan.n))));
}

}  // namespace

void register_microsoft_integer_matmul(OpTable& table) {
  const std::string domain = "com.microsoft";
  table.add(
      {.type = "QGemm", .domain = domain, .infer = infer_gemm, .cost = cost_gemm, .compute = compute_gemm});
  table.add({.type = "MatMulIntegerToFloat",
             .domain = domain,
             .infer = infer_to_float,
             .cost = cost_to_float,
             .compute = compute_to_float});
  table.add({.type = "DynamicQuantizeMatMul",
             .domain = domain,
             .infer = infer_to_float,
             .cost = cost_to_float,
             .compute = compute_dynamic});
}

}  // namespace compressor::ops

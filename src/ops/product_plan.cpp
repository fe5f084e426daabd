// product_plan: batch axes of a product, broadcast.
#include "ops/product_plan.h"

#include "ops/elements.h"
#include "ops/strided.h"

namespace compressor::ops {
namespace {

Dims batch_of(const Dims& shape) {
  return {shape.begin(), shape.end() - (shape.size() < 2 ? static_cast<std::ptrdiff_t>(shape.size()) : 2)};
}

}  // namespace

ProductPlan plan_product(const ComputeContext& ctx, const Dims& a, const Dims& b) {
  if (a.empty() || b.empty()) ctx.fail("an operand is a scalar, expected a matrix");
  ProductPlan plan;
  plan.m = a.size() == 1 ? 1 : a[a.size() - 2];
  plan.k = a.back();
  plan.n = b.size() == 1 ? 1 : b.back();
  const std::int64_t rows = b.size() == 1 ? b[0] : b[b.size() - 2];
  if (plan.k != rows) {
    ctx.fail("left operand {} has {} columns, right operand {} has {} rows", to_string(a), plan.k,
             to_string(b), rows);
  }
  const Dims left = batch_of(a);
  const Dims right = batch_of(b);
  const Dims batch = broadcast_shape(left, right);
  walk<2>(batch, {broadcast_strides(left, batch), broadcast_strides(right, batch)}, {0, 0},
          [&](const Run<2>& run) {
            for (std::int64_t i = 0; i < run.count; ++i) {
              plan.pairs.push_back({run.at[0] + i * run.step[0], run.at[1] + i * run.step[1]});
            }
          });
  plan.shape = batch;
  if (a.size() > 1) plan.shape.push_back(plan.m);
  if (b.size() > 1) plan.shape.push_back(plan.n);
  return plan;
}

}  // namespace compressor::ops

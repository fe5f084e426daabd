// is_nan: IsNaN and IsInf.
#include <cmath>

#include "ops/elementwise.h"

namespace compressor::ops {
namespace {

template <class Fn>
void compute(ComputeContext& ctx, Fn&& test) {
  with_domain(ctx.in(0).dtype, [&]<class T>(T) {
    map_unary<T>(ctx, DType::kBool, [&](T x) { return std::int64_t{test(static_cast<double>(x))}; });
  });
}

void is_inf(ComputeContext& ctx) {
  const bool negative = ctx.node().int_or("detect_negative", 1) != 0;
  const bool positive = ctx.node().int_or("detect_positive", 1) != 0;
  compute(ctx, [=](double x) { return std::isinf(x) && (x > 0 ? positive : negative); });
}

void infer_bool(InferContext& ctx) {
  infer_same(ctx, DType::kBool);
}

}  // namespace

void register_is_nan(OpTable& table) {
  table.add({.type = "IsNaN",
             .since = 9,
             .infer = infer_bool,
             .cost = cost_elementwise,
             .compute = [](ComputeContext& ctx) { compute(ctx, [](double x) { return std::isnan(x); }); },
             .channels = channels_unary});
  table.add({.type = "IsInf",
             .since = 10,
             .infer = infer_bool,
             .cost = cost_elementwise,
             .compute = is_inf,
             .channels = channels_unary});
}

}  // namespace compressor::ops

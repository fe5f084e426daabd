// com.microsoft SkipLayerNormalization, SkipSimplifiedLayerNormalization: a sum, then a norm over the last
// axis.
//
// x, skip [.., n], gamma, beta, bias [n] -> y, mean, 1/deviation, the sum. The simplified one has no beta.
#include <algorithm>
#include <cmath>

#include "compressor/ops/channels.h"
#include "ops/expect.h"
#include "ops/real.h"
#include "ops/run_norm.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  same_as(ctx, 0, 0);
  same_as(ctx, 3, 0);
  if (!x.ranked || x.rank() == 0) return;
  for (std::size_t i = 2; i < 5; ++i) expect_vector(ctx, i, x.dims.back(), "parameter");
  SymDims reduced = x.dims;
  reduced.back() = 1;
  for (std::size_t i = 1; i < 3; ++i) {
    if (ctx.wants(i)) ctx.set(i, DType::kFloat, reduced);
  }
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = 8 * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  static constexpr std::size_t kInputs[] = {0, 1};
  join_elementwise(ctx, kInputs);
  ctx.pass_all(0, 3);
  ctx.approximate(ctx.in_list(0, -1), ctx.node().op() + " normalises over this axis");
  const bool simplified = ctx.node().op() == "SkipSimplifiedLayerNormalization";
  for (std::size_t i = 2; i < 5; ++i) {
    if (!ctx.has(i)) continue;
    ctx.join(ctx.in_list(0, -1), ctx.in_list(i, 0));
    ctx.role(i, 0, i == 2 ? AxisRole::kScale : AxisRole::kShift);
    if (simplified && i == 3) break;
  }
}

/// (v - mean) / deviation * gamma + beta over rows of n; the mean stays for the simplified norm.
template <class T>
void normalize_row(const T* x, T* y, const Elements<T>& gamma, const Elements<T>* beta, Moments& m) {
  const double factor = 1 / std::sqrt(m.variance);
  for (std::size_t i = 0; i < gamma.size(); ++i) {
    const double v = (static_cast<double>(x[i]) - m.mean) * factor * static_cast<double>(gamma.data()[i]);
    y[i] = static_cast<T>(beta ? v + static_cast<double>(beta->data()[i]) : v);
  }
}

void compute(ComputeContext& ctx) {
  const bool simplified = ctx.node().op() == "SkipSimplifiedLayerNormalization";
  const std::size_t bias_at = simplified ? 3 : 4;
  const Tensor& input = ctx.in(0);
  if (input.rank() < 1) ctx.fail("input is a scalar");
  const std::int64_t n = input.shape.back();
  for (std::size_t i = 2; i < 5; ++i) {
    if (ctx.has(i) && static_cast<std::int64_t>(ctx.in(i).size()) != n) {
      ctx.fail("input {} has {} numbers, expected {}", i, ctx.in(i).size(), n);
    }
  }
  if (broadcast_shape(input.shape, ctx.in(1).shape) != input.shape) {
    ctx.fail("skip {} does not go with {}", to_string(ctx.in(1).shape), to_string(input.shape));
  }
  const double epsilon = ctx.node().float_or("epsilon", 1e-12F);
  Dims reduced = input.shape;
  reduced.back() = 1;
  with_real(ctx, input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    const Elements<T> skip(ctx.in(1));
    Result<T> sum(input.dtype, input.shape);
    walk<1>(input.shape, {broadcast_strides(ctx.in(1).shape, input.shape)}, {0}, [&](const Run<1>& run) {
      for (std::int64_t i = 0; i < run.count; ++i) {
        sum[run.out + i] = x[run.out + i] + skip[run.at[0] + i * run.step[0]];
      }
    });
    if (ctx.has(bias_at)) {
      const Elements<T> bias(ctx.in(bias_at));
      for (std::int64_t i = 0; i < sum.size(); ++i) sum[i] += bias[i % n];
    }
    const Elements<T> gamma(ctx.in(2));
    std::optional<Elements<T>> beta;
    if (!simplified && ctx.has(3)) beta.emplace(ctx.in(3));
    Result<T> y(input.dtype, input.shape);
    std::vector<double> means;
    std::vector<double> factors;
    for (std::int64_t at = 0; n > 0 && at < y.size(); at += n) {
      Moments m;
      if (simplified) {
        m.variance = sum_of(sum.data() + at, n, [](double v) { return v * v; }) / static_cast<double>(n);
      } else {
        m = moments_of(sum.data() + at, n);
      }
      m.variance += epsilon;
      means.push_back(m.mean);
      factors.push_back(1 / std::sqrt(m.variance));
      normalize_row(sum.data() + at, y.data() + at, gamma, beta ? &*beta : nullptr, m);
    }
    ctx.set(0, y.finish());
    ctx.set(1, Tensor::of(DType::kFloat, reduced, means));
    ctx.set(2, Tensor::of(DType::kFloat, reduced, factors));
    ctx.set(3, sum.finish());
  });
}

}  // namespace

void register_microsoft_skip_normalization(OpTable& table) {
  for (const bool centred : {true, false}) {
    table.add({.type = centred ? "SkipLayerNormalization" : "SkipSimplifiedLayerNormalization",
               .domain = "com.microsoft",
               .infer = infer,
               .cost = cost,
               .compute = compute,
               .channels = channels,
               .run = [centred](RunContext& ctx) { return run_skip_norm(ctx, centred); },
               .gradient = [centred](GradientContext& ctx) { skip_norm_gradient(ctx, centred); },
               .keep = {.inputs = centred ? 0b10111U : 0b1111U}});
  }
}

}  // namespace compressor::ops

// LpNormalization, MeanVarianceNormalization: divide by a norm, or centre and scale, along given axes.
#include "compressor/ops/channels.h"
#include "ops/expect.h"
#include "ops/movement.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

std::vector<std::int64_t> axes_of(const Node& node) {
  if (node.op() == "LpNormalization") return {node.int_or("axis", -1)};
  return node.ints_or("axes", {0, 2, 3});
}

void infer(InferContext& ctx) {
  if (ctx.in(0).ranked) {
    for (const std::int64_t axis : axes_of(ctx.node())) normalize_axis(ctx, axis, ctx.in(0).rank());
  }
  same_as(ctx, 0, 0);
}

Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = (ctx.node().op() == "LpNormalization" ? 3 : 6) * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  for (const std::int64_t axis : axes_of(ctx.node())) {
    ctx.approximate(ctx.in_list(0, axis), ctx.node().op() + " normalises over this axis");
  }
}

/// Numbers that are normalised together: their places in the input.
struct Together {
  Dims kept_shape, shape;
  Strides kept_strides, strides;
};

Together together(const ComputeContext& ctx) {
  const Dims& x = ctx.in(0).shape;
  const auto rank = static_cast<std::int64_t>(x.size());
  std::vector<bool> along(x.size());
  for (const std::int64_t axis : axes_in(ctx.node(), axes_of(ctx.node()), rank))
    along[static_cast<std::size_t>(axis)] = true;
  const Strides strides = row_major(x);
  Together t;
  for (std::size_t i = 0; i < x.size(); ++i) {
    (along[i] ? t.shape : t.kept_shape).push_back(x[i]);
    (along[i] ? t.strides : t.kept_strides).push_back(strides[i]);
  }
  return t;
}

/// x[i] = (x[i] - shift) * factor
template <class T>
void normalise(const ComputeContext& ctx, std::vector<T>& x) {
  const auto n = static_cast<std::int64_t>(x.size());
  if (ctx.node().op() == "MeanVarianceNormalization") {
    const Moments m = moments_of(x.data(), n);
    const double deviation = std::sqrt(m.variance) + 1e-9;
    for (T& v : x) v = static_cast<T>((v - m.mean) / deviation);
    return;
  }
  const bool euclid = ctx.node().int_or("p", 2) != 1;
  const double sum = sum_of(x.data(), n, [euclid](double v) { return euclid ? v * v : std::fabs(v); });
  const double norm = euclid ? std::sqrt(sum) : sum;
  for (T& v : x) v = static_cast<T>(norm > 0 ? v / norm : 0);
}

void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  const Together t = together(ctx);
  with_real(ctx, input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    Result<T> y(input.dtype, input.shape);
    std::vector<T> numbers(num_elements(t.shape));
    if (y.size() == 0) return ctx.set(0, y.finish());
    walk<1>(t.kept_shape, {t.kept_strides}, {0}, [&](const Run<1>& kept) {
      for (std::int64_t i = 0; i < kept.count; ++i) {
        const std::int64_t at = kept.at[0] + i * kept.step[0];
        walk<1>(t.shape, {t.strides}, {at}, [&](const Run<1>& run) {
          for (std::int64_t k = 0; k < run.count; ++k)
            numbers[static_cast<std::size_t>(run.out + k)] = x[run.at[0] + k * run.step[0]];
        });
        normalise(ctx, numbers);
        walk<1>(t.shape, {t.strides}, {at}, [&](const Run<1>& run) {
          for (std::int64_t k = 0; k < run.count; ++k)
            y[run.at[0] + k * run.step[0]] = numbers[static_cast<std::size_t>(run.out + k)];
        });
      }
    });
    ctx.set(0, y.finish());
  });
}

}  // namespace

void register_lp_normalization(OpTable& table) {
  for (const char* type : {"LpNormalization", "MeanVarianceNormalization"}) {
    table.add({.type = type, .infer = infer, .cost = cost, .compute = compute, .channels = channels});
  }
}

}  // namespace compressor::ops

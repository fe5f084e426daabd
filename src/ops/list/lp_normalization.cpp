// LpNormalization, MeanVarianceNormalization: divide by a norm, or centre and scale, along given axes.
#include "compressor/ops/channels.h"
#include "compressor/ops/run.h"
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

Together together(const Node& node, const Dims& x) {
  const auto rank = static_cast<std::int64_t>(x.size());
  std::vector<bool> along(x.size());
  for (const std::int64_t axis : axes_in(node, axes_of(node), rank))
    along[static_cast<std::size_t>(axis)] = true;
  const Strides strides = row_major(x);
  Together t;
  for (std::size_t i = 0; i < x.size(); ++i) {
    (along[i] ? t.shape : t.kept_shape).push_back(x[i]);
    (along[i] ? t.strides : t.kept_strides).push_back(strides[i]);
  }
  return t;
}

/// Calls fn(place of the first number) for all that are normalised together.
template <class Fn>
void each_group(const Together& t, Fn&& fn) {
  walk<1>(t.kept_shape, {t.kept_strides}, {0}, [&](const Run<1>& kept) {
    for (std::int64_t i = 0; i < kept.count; ++i) fn(kept.at[0] + i * kept.step[0]);
  });
}

/// Calls fn(number of a group, its place).
template <class Fn>
void each_number(const Together& t, std::int64_t first, Fn&& fn) {
  walk<1>(t.shape, {t.strides}, {first}, [&](const Run<1>& run) {
    for (std::int64_t k = 0; k < run.count; ++k) {
      fn(static_cast<std::size_t>(run.out + k), run.at[0] + k * run.step[0]);
    }
  });
}

/// y = (x - shift) / norm
struct Norm {
  double shift = 0, norm = 0;
};

enum class Kind : std::uint8_t { kManhattan, kEuclid, kDeviation };

Kind kind_of(const Node& node) {
  if (node.op() == "MeanVarianceNormalization") return Kind::kDeviation;
  return node.int_or("p", 2) != 1 ? Kind::kEuclid : Kind::kManhattan;
}

constexpr double kLeastDeviation = 1e-9;

template <class T>
Norm norm_of(Kind kind, const std::vector<T>& x) {
  const auto n = static_cast<std::int64_t>(x.size());
  if (kind == Kind::kDeviation) {
    const Moments m = moments_of(x.data(), n);
    return {m.mean, std::sqrt(m.variance) + kLeastDeviation};
  }
  if (kind == Kind::kManhattan) return {0, sum_of(x.data(), n, [](double v) { return std::fabs(v); })};
  return {0, std::sqrt(sum_of(x.data(), n, [](double v) { return v * v; }))};
}

void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  const Together t = together(ctx.node(), input.shape);
  const Kind kind = kind_of(ctx.node());
  with_real(ctx, input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    Result<T> y(input.dtype, input.shape);
    std::vector<T> numbers(num_elements(t.shape));
    if (y.size() == 0) return ctx.set(0, y.finish());
    each_group(t, [&](std::int64_t first) {
      each_number(t, first, [&](std::size_t i, std::int64_t at) { numbers[i] = x[at]; });
      const Norm norm = norm_of(kind, numbers);
      each_number(t, first, [&](std::size_t i, std::int64_t at) {
        y[at] = static_cast<T>(norm.norm == 0 ? 0 : (numbers[i] - norm.shift) / norm.norm);
      });
    });
    ctx.set(0, y.finish());
  });
}

/// The slope of the norm along a number that lies `x` from the shift, of n.
double norm_slope(Kind kind, const Norm& norm, double x, double n) {
  if (kind == Kind::kManhattan) return x > 0 ? 1 : x < 0 ? -1 : 0;
  if (kind == Kind::kEuclid) return x / norm.norm;
  const double deviation = norm.norm - kLeastDeviation;
  return deviation > 0 ? x / (n * deviation) : 0;
}

// With y = (x - shift) / norm: dx = (dy - mean(dy) - slope of the norm * sum(dy y)) / norm, where the mean is
// there if a shift is.
void gradient(GradientContext& ctx) {
  if (!ctx.wants(0) || num_elements(ctx.in_shape(0)) == 0) return;
  const Together t = together(ctx.node(), ctx.in_shape(0));
  const Kind kind = kind_of(ctx.node());
  const float* x = ctx.in_floats(0);
  const float* dy = ctx.grad(0);
  float* dx = ctx.grad_in(0);
  std::vector<double> numbers(num_elements(t.shape));
  const auto n = static_cast<double>(numbers.size());
  each_group(t, [&](std::int64_t first) {
    each_number(t, first, [&](std::size_t i, std::int64_t at) { numbers[i] = static_cast<double>(x[at]); });
    const Norm norm = norm_of(kind, numbers);
    double sum = 0;
    double product = 0;
    each_number(t, first, [&](std::size_t i, std::int64_t at) {
      numbers[i] -= norm.shift;
      sum += static_cast<double>(dy[at]);
      product += static_cast<double>(dy[at]) * numbers[i];
    });
    const double mean = kind == Kind::kDeviation ? sum / n : 0;
    each_number(t, first, [&](std::size_t i, std::int64_t at) {
      if (norm.norm == 0) return static_cast<void>(dx[at] = 0);
      const double pulled = norm_slope(kind, norm, numbers[i], n) * product / norm.norm;
      dx[at] = static_cast<float>((static_cast<double>(dy[at]) - mean - pulled) / norm.norm);
    });
  });
}

}  // namespace

void register_lp_normalization(OpTable& table) {
  for (const char* type : {"LpNormalization", "MeanVarianceNormalization"}) {
    table.add({.type = type,
               .infer = infer,
               .cost = cost,
               .compute = compute,
               .channels = channels,
               .gradient = gradient,
               .keep = {.inputs = 1}});
  }
}

}  // namespace compressor::ops

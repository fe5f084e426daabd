// BatchNormalization: normalises every channel by stored statistics, or by the batch's own when training.
#include <algorithm>
#include <cmath>

#include "compressor/kernels/in_parallel.h"
#include "compressor/ops/channels.h"
#include "ops/expect.h"
#include "ops/real.h"
#include "ops/run_batch_norm.h"

namespace compressor::ops {
namespace {

// x [N, C, ..], scale, bias, mean, var [C] -> y as x, statistics [C]
void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  same_as(ctx, 0, 0);
  // Opset 7 could keep statistics of every activation: parameters [C, D1, ..].
  if (ctx.opset() < 9 && ctx.node().int_or("spatial", 1) == 0) {
    for (std::size_t i = 1; i < ctx.num_outputs(); ++i) same_as(ctx, i, std::min<std::size_t>(i, 4));
    return;
  }
  SymDim c = !x.ranked ? SymDim() : x.rank() < 2 ? SymDim(1) : x.dims[1];
  static constexpr std::string_view kNames[] = {"input", "scale", "bias", "mean", "variance"};
  for (std::size_t i = 1; i < 5; ++i) {
    expect_vector(ctx, i, c, kNames[i]);
    if (ctx.has(i) && ctx.in(i).ranked && !c.is_number()) c = agree(ctx, c, ctx.in(i).dims[0], kNames[i]);
  }
  for (std::size_t i = 1; i < ctx.num_outputs(); ++i) {
    if (ctx.wants(i)) ctx.set(i, ctx.has(3) ? ctx.in(3).dtype : x.dtype, {c});
  }
}

// Folded into a factor and a summand a channel; training computes the statistics first.
Cost cost(const CostContext& ctx) {
  return {.macs = 0, .flops = (trains_statistics(ctx.node(), ctx.opset()) ? 6 : 2) * ctx.in_size(0)};
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  if (ctx.in(0).rank() < 2) return;
  const Places x = ctx.in_list(0, 1);
  static constexpr AxisRole kRoles[] = {AxisRole::kNone, AxisRole::kScale, AxisRole::kShift,
                                        AxisRole::kStatistic, AxisRole::kStatistic};
  const bool each = ctx.opset() < 9 && ctx.node().int_or("spatial", 1) == 0;
  for (std::size_t i = 1; i < 5; ++i) {
    ctx.join(x, ctx.in_list(i, 0));
    ctx.role(i, 0, kRoles[i]);
    for (std::int64_t axis = 1; each && axis < ctx.in(i).rank(); ++axis) {
      ctx.join(ctx.in_list(0, axis + 1), ctx.in_list(i, axis));
    }
  }
  for (std::size_t i = 1; i < ctx.node().outputs().size(); ++i) {
    if (ctx.wants(i)) ctx.set_out(i, 0, x);
  }
  if (!trains_statistics(ctx.node(), ctx.opset())) return;
  for (std::int64_t axis = 0; axis < ctx.in(0).rank(); ++axis) {
    if (axis != 1)
      ctx.approximate(ctx.in_list(0, axis), "BatchNormalization takes statistics over this axis");
  }
}

struct Statistics {
  std::vector<double> mean, variance;
};

/// Of every channel of x [n, c, inner], over the batch and the inner axes.
template <class T>
Statistics batch_statistics(const T* x, std::int64_t n, std::int64_t c, std::int64_t inner) {
  Statistics s;
  const auto count = static_cast<double>(n * inner);
  for (std::int64_t j = 0; j < c; ++j) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += sum_of(x + (i * c + j) * inner, inner);
    const double mean = sum / count;
    double squares = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      squares += sum_of(x + (i * c + j) * inner, inner, [mean](double v) { return (v - mean) * (v - mean); });
    }
    s.mean.push_back(mean);
    s.variance.push_back(squares / count);
  }
  return s;
}

std::vector<double> blend(const std::vector<double>& running, const std::vector<double>& batch,
                          double momentum) {
  std::vector<double> result(running.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = running[i] * momentum + batch[i] * (1 - momentum);
  }
  return result;
}

/// Running statistics moved toward those of the batch; only the versions that say what they are (14 and up).
void set_running(ComputeContext& ctx, const Statistics& running, const Statistics& batch) {
  const double momentum = ctx.node().float_or("momentum", 0.9F);
  const Dims shape{static_cast<std::int64_t>(running.mean.size())};
  if (ctx.node().output(1) != nullptr) {
    ctx.set(1, Tensor::of(ctx.in(3).dtype, shape, blend(running.mean, batch.mean, momentum)));
  }
  if (ctx.node().output(2) != nullptr) {
    ctx.set(2, Tensor::of(ctx.in(4).dtype, shape, blend(running.variance, batch.variance, momentum)));
  }
}

// y = (x - mean) / sqrt(var + epsilon) * scale + bias
void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  // Opset 7 with spatial = 0 has parameters for every position: each is a channel of its own.
  const bool each = ctx.opset() < 9 && ctx.node().int_or("spatial", 1) == 0;
  const std::int64_t n = input.rank() > 0 ? input.shape[0] : 1;
  const auto size = static_cast<std::int64_t>(input.size());
  const std::int64_t c = each && n > 0 ? size / n : input.rank() > 1 ? input.shape[1] : 1;
  for (std::size_t i = 1; i < 5; ++i) {
    if (static_cast<std::int64_t>(ctx.in(i).size()) != c) {
      ctx.fail("input {} has {} elements, expected {}", i, ctx.in(i).size(), c);
    }
  }
  if (size == 0) return ctx.set(0, input);
  const std::int64_t inner = size / (n * c);
  const std::vector<double> scale = to_doubles(ctx.in(1));
  const std::vector<double> bias = to_doubles(ctx.in(2));
  const double epsilon = ctx.node().float_or("epsilon", 1e-5F);
  Statistics s{to_doubles(ctx.in(3)), to_doubles(ctx.in(4))};
  with_real(ctx, input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    Result<T> y(input.dtype, input.shape);
    // Before opset 14 more than one output means training, but runtimes normalise by the given statistics all
    // the same (exporters of weight-standardised convolutions rely on it): output 0 is computed so, and the
    // others are those statistics.
    if (trains_statistics(ctx.node(), ctx.opset()) && ctx.opset() >= 14) {
      const Statistics running = s;
      s = batch_statistics(x.data(), n, c, inner);
      set_running(ctx, running, s);
    } else {
      for (std::size_t i = 1; i < ctx.node().outputs().size(); ++i) {
        if (ctx.node().output(i) != nullptr) ctx.set(i, ctx.in(i % 2 == 1 ? 3 : 4));
      }
    }
    kernels::in_parallel(size > kParallelWork, n * c, [&](std::int64_t i) {
      const auto j = static_cast<std::size_t>(i % c);
      const auto mean = static_cast<T>(s.mean[j]);
      const auto factor = static_cast<T>(scale[j] / std::sqrt(s.variance[j] + epsilon));
      const auto shift = static_cast<T>(bias[j]);
      const T* from = x.data() + i * inner;
      T* to = y.data() + i * inner;
      for (std::int64_t k = 0; k < inner; ++k) to[k] = (from[k] - mean) * factor + shift;
    });
    ctx.set(0, y.finish());
  });
}

}  // namespace

void register_batch_normalization(OpTable& table) {
  table.add({.type = "BatchNormalization",
             .infer = infer,
             .cost = cost,
             .compute = compute,
             .channels = channels,
             .run = run_batch_norm,
             .gradient = batch_norm_gradient,
             .keep = {.inputs = 0b11011}});
}

}  // namespace compressor::ops

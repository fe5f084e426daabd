// loss: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: scores [N, C, d..] against labels [N, d..].
//
//   l[n, d] = -w[t] logp[n, t, d], zero where t is ignore_index; mean divides by the sum of the weights
//   SoftmaxCrossEntropyLoss takes logits: logp = logsoftmax(x); with mean and sum the gradient is softmax - 1
#include <algorithm>
#include <cmath>

#include "compressor/ops/channels.h"
#include "compressor/ops/run.h"
#include "ops/elements.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

constexpr const char* kCrossEntropy = "SoftmaxCrossEntropyLoss";

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& labels = ctx.in(1);
  expect_rank(ctx, x, "scores", 2);
  const std::string reduction = ctx.node().string_or("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean") {
    ctx.fail("reduction is '{}', expected none, sum or mean", reduction);
  }
  if (reduction != "none") {
    ctx.set(0, x.dtype, {});
  } else if (labels.ranked) {
    ctx.set(0, x.dtype, labels.dims);
  } else {
    ctx.set_unranked(0, x.dtype);
  }
  if (!ctx.wants(1)) return;
  if (!x.ranked) return ctx.set_unranked(1, x.dtype);
  ctx.set(1, x.dtype, x.dims);
}

/// Sizes, and what every place weighs; labels that are out of range are errors.
struct Layout3 {
  std::int64_t n = 0, c = 0, inner = 0;
  std::vector<std::int64_t> label;  ///< [n * inner]; -1: ignored
  std::vector<double> weight;       ///< [n * inner]
  double total = 0;                 ///< what mean divides by
};

template <class Context>
Layout3 read(Context& ctx, const Dims& x, const Tensor& labels, const Tensor* weights) {
  Layout3 s;
  if (x.size() < 2) ctx.fail("scores have rank {}, expected at least 2", x.size());
  s.n = x[0];
  s.c = x[1];
  s.inner = static_cast<std::int64_t>(num_elements(Dims(x.begin() + 2, x.end())));
  Dims expected = x;
  expected.erase(expected.begin() + 1);
  if (labels.shape != expected) {
    ctx.fail("labels are {}, expected {}", to_string(labels.shape), to_string(expected));
  }
  s.label = to_ints(labels);
  std::vector<double> w(static_cast<std::size_t>(s.c), 1.0);
  if (weights) {
    w = to_doubles(*weights);
    if (w.size() != static_cast<std::size_t>(s.c)) ctx.fail("{} weights, expected {}", w.size(), s.c);
  }
  const bool ignores = ctx.node().attribute("ignore_index") != nullptr;
  const std::int64_t ignored = ctx.node().int_or("ignore_index", -100);
  s.weight.assign(s.label.size(), 0);
  for (std::size_t i = 0; i < s.label.size(); ++i) {
    if (ignores && s.label[i] == ignored) {
      s.label[i] = -1;
      continue;
    }
    if (s.label[i] < 0 || s.label[i] >= s.c) ctx.fail("label {} is outside [0, {})", s.label[i], s.c);
    s.weight[i] = w[static_cast<std::size_t>(s.label[i])];
    s.total += s.weight[i];
  }
  return s;
}

/// log softmax along axis 1.
std::vector<double> log_softmax(const std::vector<double>& x, const Layout3& s) {
  std::vector<double> y(x.size());
  for (std::int64_t k = 0; k < s.n * s.inner; ++k) {
    const std::int64_t base = k / s.inner * s.c * s.inner + k % s.inner;
    const auto at = [&](std::int64_t c) { return static_cast<std::size_t>(base + c * s.inner); };
    double top = x[at(0)];
    for (std::int64_t c = 1; c < s.c; ++c) top = std::max(top, x[at(c)]);
    double sum = 0;
    for (std::int64_t c = 0; c < s.c; ++c) sum += std::exp(x[at(c)] - top);
    const double shift = top + std::log(sum);
    for (std::int64_t c = 0; c < s.c; ++c) y[at(c)] = x[at(c)] - shift;
  }
  return y;
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Layout3 s = read(ctx, x.shape, ctx.in(1), ctx.has(2) ? &ctx.in(2) : nullptr);
  std::vector<double> p = to_doubles(x);
  if (ctx.node().op() == kCrossEntropy && s.c > 0) p = log_softmax(p, s);
  std::vector<double> loss(s.label.size());
  double sum = 0;
  for (std::size_t i = 0; i < loss.size(); ++i) {
    if (s.label[i] < 0) continue;
    const auto k = static_cast<std::int64_t>(i);
    const std::int64_t at = (k / s.inner * s.c + s.label[i]) * s.inner + k % s.inner;
    loss[i] = -s.weight[i] * p[static_cast<std::size_t>(at)];
    sum += loss[i];
  }
  const std::string reduction = ctx.node().string_or("reduction", "mean");
  if (reduction == "none") {
    ctx.set(0, Tensor::of(x.dtype, ctx.in(1).shape, loss));
  } else {
    const double value = reduction == "sum" ? sum : sum / s.total;
    ctx.set(0, Tensor::of(x.dtype, {}, std::span<const double>(&value, 1)));
  }
  if (ctx.node().output(1)) ctx.set(1, Tensor::of(x.dtype, x.shape, p));
}

void gradient(GradientContext& ctx) {
  if (!ctx.wants(0)) return;
  if (!ctx.has_grad(0))
    ctx.fail("only the gradient of the loss is available, not that of the log probabilities");
  const Layout3 s = read(ctx, ctx.in_shape(0), ctx.in(1), ctx.has(2) ? &ctx.in(2) : nullptr);
  const bool cross_entropy = ctx.node().op() == kCrossEntropy;
  const std::string reduction = ctx.node().string_or("reduction", "mean");
  std::vector<double> p;
  if (cross_entropy) p = log_softmax(to_doubles(ctx.in(0)), s);
  const float* dy = ctx.grad(0);
  float* dx = ctx.grad_in(0);
  std::fill_n(dx, num_elements(ctx.in_shape(0)), 0.0F);
  for (std::size_t i = 0; i < s.label.size(); ++i) {
    if (s.label[i] < 0) continue;
    double g = s.weight[i] * static_cast<double>(reduction == "none" ? dy[i] : dy[0]);
    if (reduction == "mean") g /= s.total;
    const auto k = static_cast<std::int64_t>(i);
    const std::int64_t base = k / s.inner * s.c * s.inner + k % s.inner;
    for (std::int64_t c = 0; c < s.c && cross_entropy; ++c) {
      const auto at = static_cast<std::size_t>(base + c * s.inner);
      dx[at] = static_cast<float>(g * std::exp(p[at]));
    }
    dx[base + s.label[i] * s.inner] -= static_cast<float>(g);
  }
}

void channels(ChannelContext& ctx) {
  ctx.freeze_all("is compared with labels");
}

}  // namespace

void register_loss(OpTable& table) {
  for (const char* type : {"NegativeLogLikelihoodLoss", kCrossEntropy}) {
    table.add({.type = type,
               .since = 12,
               .infer = infer,
               .compute = compute,
               .channels = channels,
               .gradient = gradient,
               .keep = {.inputs = 7}});
  }
}

}  // namespace compressor::ops

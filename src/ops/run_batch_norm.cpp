// run_batch_norm: y = (x - mean) inverse scale + bias, inverse = 1 / sqrt(variance + epsilon), by channel.
//
// With the batch's statistics and m positions a channel, and g the sums over those:
//   dscale = g(dy xhat), dbias = g(dy), dx = scale inverse (dy - g(dy) / m - xhat g(dy xhat) / m)
// With given statistics the last two terms are not there. Ioffe and Szegedy 2015, 1502.03167.
#include "ops/run_batch_norm.h"

#include <cmath>

#include "compressor/kernels/normalize.h"

namespace compressor::ops {
namespace {

using kernels::Channels;

/// What normalisation went by; kept as [2 C + 1]: mean, inverse, and 1 where it was the batch's.
struct Statistics {
  std::vector<float> mean, inverse;
  bool of_batch = false;
};

Statistics read(const Tensor& mean, const Tensor& variance, double epsilon) {
  Statistics s{to_floats(mean), to_floats(variance), false};
  for (float& v : s.inverse) v = static_cast<float>(1 / std::sqrt(static_cast<double>(v) + epsilon));
  return s;
}

Tensor keep_of(const Statistics& s) {
  std::vector<float> all = s.mean;
  all.insert(all.end(), s.inverse.begin(), s.inverse.end());
  all.push_back(s.of_batch ? 1.0F : 0.0F);
  return Tensor::of({static_cast<std::int64_t>(all.size())}, std::span<const float>(all));
}

Statistics from_kept(const Tensor& kept) {
  const std::vector<float> all = to_floats(kept);
  const auto c = static_cast<std::ptrdiff_t>(all.size() / 2);
  return {{all.begin(), all.begin() + c}, {all.begin() + c, all.begin() + 2 * c}, all.back() != 0};
}

Channels channels_of(const Dims& x) {
  if (x.size() < 2) return {x.empty() ? 1 : x[0], 1};
  const auto size = static_cast<std::int64_t>(num_elements(x));
  return {x[1] > 0 ? size / x[1] : 0, x[1]};
}

Statistics measure(const Channels& s, const float* x, double epsilon, std::vector<double>& mean,
                   std::vector<double>& variance) {
  mean.resize(static_cast<std::size_t>(s.channels));
  variance.resize(mean.size());
  kernels::channel_moments(s, x, mean.data(), variance.data());
  Statistics result{{mean.begin(), mean.end()}, {}, true};
  for (const double v : variance) result.inverse.push_back(static_cast<float>(1 / std::sqrt(v + epsilon)));
  return result;
}

Tensor blend(const Tensor& running, const std::vector<double>& batch, double momentum) {
  std::vector<double> values = to_doubles(running);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = values[i] * momentum + batch[i] * (1 - momentum);
  return Tensor::of(running.dtype, running.shape, values);
}

/// Planes that lie in one piece have their channel's numbers each.
void by_planes(const Dims& shape, const float* x, const Statistics& s, const std::vector<float>& factor,
               const std::vector<float>& shift, float* y) {
  const std::int64_t planes = shape[0] * shape[1];
  std::vector<float> numbers[3];
  const std::vector<float>* from[3] = {&s.mean, &factor, &shift};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::int64_t n = 0; n < shape[0]; ++n)
      numbers[i].insert(numbers[i].end(), from[i]->begin(), from[i]->end());
  }
  kernels::row_affine(planes, static_cast<std::int64_t>(num_elements(shape)) / planes, x, numbers[0].data(),
                      numbers[1].data(), numbers[2].data(), y);
}

}  // namespace

bool trains_statistics(const Node& node, std::int64_t opset) {
  if (opset >= 14) return node.int_or("training_mode", 0) != 0;
  for (std::size_t i = 1; i < node.outputs().size(); ++i) {
    if (node.output(i) != nullptr) return true;
  }
  return false;
}

bool run_batch_norm(RunContext& ctx) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat) return false;
  const Node& node = ctx.node();
  const Dims shape = ctx.shape(0);
  const Channels channels = channels_of(shape);
  if (num_elements(shape) == 0 || (ctx.opset() < 9 && node.int_or("spatial", 1) == 0)) return false;
  for (std::size_t i = 1; i < 5; ++i) {
    if (!ctx.has(i) || static_cast<std::int64_t>(ctx.value(i).tensor.size()) != channels.channels)
      return false;
  }
  // Before opset 14 a node that asks for statistics is computed by those given, as runtimes do.
  const bool asks = trains_statistics(node, ctx.opset()) && ctx.opset() >= 14;
  const bool batch = asks || ctx.batch_statistics();
  const double epsilon = node.float_or("epsilon", 1e-5F);
  const double momentum = node.float_or("momentum", 0.9F);
  const Layout layout = batch ? Layout::kChannelsLast : ctx.layout(0);
  const float* x = ctx.floats(0, layout);
  Statistics s;
  if (batch) {
    std::vector<double> mean;
    std::vector<double> variance;
    s = measure(channels, x, epsilon, mean, variance);
    const Tensor new_mean = blend(ctx.in(3), mean, momentum);
    const Tensor new_variance = blend(ctx.in(4), variance, momentum);
    if (ctx.wants(1)) ctx.set(1, new_mean);
    if (ctx.wants(2)) ctx.set(2, new_variance);
    if (ctx.batch_statistics()) {
      ctx.update(3, new_mean);
      ctx.update(4, new_variance);
    }
  } else {
    s = read(ctx.in(3), ctx.in(4), epsilon);
  }
  for (std::size_t i = 1; !asks && i < 5; ++i) {
    if (ctx.wants(i)) ctx.set(i, ctx.in(i % 2 == 1 ? 3 : 4));
  }
  if (ctx.training()) ctx.keep(keep_of(s));
  std::vector<float> factor = to_floats(ctx.in(1));
  for (std::size_t i = 0; i < factor.size(); ++i) factor[i] *= s.inverse[i];
  const std::vector<float> shift = to_floats(ctx.in(2));
  auto* y = reinterpret_cast<float*>(ctx.out_over(0, 0, DType::kFloat, shape, layout));
  if (layout == Layout::kPlain && !kernels::same_order(shape) && shape.size() > 2) {
    by_planes(shape, x, s, factor, shift, y);
  } else {
    kernels::channel_affine(channels, x, s.mean.data(), factor.data(), shift.data(), y);
  }
  return true;
}

void batch_norm_gradient(GradientContext& ctx) {
  if (!ctx.has_grad(0)) return;
  const Channels channels = channels_of(ctx.in_shape(0));
  const auto c = static_cast<std::size_t>(channels.channels);
  const double epsilon = ctx.node().float_or("epsilon", 1e-5F);
  const float* x = ctx.in_floats(0, Layout::kChannelsLast);
  const float* dy = ctx.grad(0, Layout::kChannelsLast);
  Statistics s;
  if (ctx.has_kept(0)) {
    s = from_kept(ctx.kept(0));
  } else if (trains_statistics(ctx.node(), ctx.opset()) && ctx.opset() >= 14) {
    std::vector<double> mean;
    std::vector<double> variance;
    s = measure(channels, x, epsilon, mean, variance);
  } else {
    s = read(ctx.in(3), ctx.in(4), epsilon);
  }
  std::vector<double> sums(c);
  std::vector<double> products(c);
  if (s.of_batch || ctx.wants(1) || ctx.wants(2) || ctx.wants(3) || ctx.wants(4)) {
    kernels::channel_gradient_sums(channels, x, dy, s.mean.data(), s.inverse.data(), sums.data(),
                                   products.data());
  }
  if (ctx.wants(1)) std::copy(products.begin(), products.end(), ctx.grad_in(1));
  if (ctx.wants(2)) std::copy(sums.begin(), sums.end(), ctx.grad_in(2));
  const std::vector<float> scale = to_floats(ctx.in(1));
  // Given statistics are inputs as others are: y = (x - mean) inverse scale + bias, inverse = (var + e)^-1/2.
  // The batch's own do not depend on them.
  for (const std::size_t i : {3U, 4U}) {
    if (!ctx.wants(i)) continue;
    float* to = ctx.grad_in(i);
    for (std::size_t k = 0; k < c; ++k) {
      const double each = -static_cast<double>(scale[k]) * static_cast<double>(s.inverse[k]);
      const double sum = i == 3 ? sums[k] : products[k] * static_cast<double>(s.inverse[k]) / 2;
      to[k] = s.of_batch ? 0.0F : static_cast<float>(each * sum);
    }
  }
  if (!ctx.wants(0)) return;
  std::vector<float> a(c);
  std::vector<float> b(c);
  std::vector<float> shift(c);
  const double m = s.of_batch ? static_cast<double>(channels.rows) : 0;
  for (std::size_t i = 0; i < c; ++i) {
    a[i] = scale[i] * s.inverse[i];
    if (!s.of_batch) continue;
    b[i] =
        static_cast<float>(-static_cast<double>(a[i]) * static_cast<double>(s.inverse[i]) * products[i] / m);
    shift[i] = static_cast<float>(-static_cast<double>(a[i]) * sums[i] / m);
  }
  kernels::channel_gradient(channels, x, dy, s.mean.data(), a.data(), b.data(), shift.data(),
                            ctx.grad_in(0, Layout::kChannelsLast));
}

}  // namespace compressor::ops

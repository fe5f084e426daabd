// run_norm_groups: norms by group of channels, sample by sample.
//
// A group's moments are put together from those of its channels:
//   mean = mean of means, variance = mean of (variances + (means - mean)^2)
// and with G, P the sums over a group of dy scale and of dy scale xhat, m numbers in a group:
//   dx = inverse (dy scale - G / m - xhat P / m). Wu and He 2018, 1803.08494.
#include <cmath>

#include "compressor/kernels/normalize.h"
#include "ops/run_norm.h"

namespace compressor::ops {
namespace {

using kernels::Channels;

/// Sizes, and which number of scale and bias a channel has.
struct Groups {
  std::int64_t n = 0, channels = 0, groups = 0, places = 0;
  std::int64_t width() const { return channels / groups; }
  std::size_t group(std::int64_t c) const { return static_cast<std::size_t>(c / width()); }
  std::size_t pick(std::int64_t c, std::uint64_t parameters) const {
    return parameters == static_cast<std::uint64_t>(channels) ? static_cast<std::size_t>(c) : group(c);
  }
};

std::optional<Groups> groups_of(const Dims& x, std::int64_t groups, const Dims& scale, const Dims& bias) {
  if (x.size() < 2 || num_elements(x) == 0 || groups < 1 || x[1] % groups != 0) return std::nullopt;
  for (const Dims* shape : {&scale, &bias}) {
    const auto count = static_cast<std::int64_t>(num_elements(*shape));
    if (shape->size() != 1 || (count != x[1] && count != groups)) return std::nullopt;
  }
  Groups g{x[0], x[1], groups, 0};
  g.places = static_cast<std::int64_t>(num_elements(x)) / (g.n * g.channels);
  return g;
}

/// By channel: its group's mean and inverse deviation in one sample.
struct ByChannel {
  std::vector<float> mean, inverse;
};

ByChannel measure(const Groups& g, const float* x, double epsilon) {
  const auto c = static_cast<std::size_t>(g.channels);
  std::vector<double> mean(c);
  std::vector<double> variance(c);
  kernels::channel_moments({g.places, g.channels}, x, mean.data(), variance.data());
  ByChannel result{std::vector<float>(c), std::vector<float>(c)};
  const auto width = static_cast<std::size_t>(g.width());
  for (std::size_t first = 0; first < c; first += width) {
    double m = 0;
    double v = 0;
    for (std::size_t k = first; k < first + width; ++k) m += mean[k];
    m /= static_cast<double>(width);
    for (std::size_t k = first; k < first + width; ++k) v += variance[k] + (mean[k] - m) * (mean[k] - m);
    const double inverse = 1 / std::sqrt(v / static_cast<double>(width) + epsilon);
    for (std::size_t k = first; k < first + width; ++k) {
      result.mean[k] = static_cast<float>(m);
      result.inverse[k] = static_cast<float>(inverse);
    }
  }
  return result;
}

/// Groups that lie in one piece.
void run_plain(const Groups& g, const float* x, double epsilon, const std::vector<float>& scale,
               const std::vector<float>& bias, float* y) {
  const kernels::Rows rows{g.n * g.groups, g.width() * g.places, epsilon, true};
  std::vector<float> mean(static_cast<std::size_t>(rows.rows));
  std::vector<float> inverse(mean.size());
  kernels::row_moments(rows, x, mean.data(), inverse.data());
  std::vector<float> each[3];
  for (std::int64_t i = 0; i < g.n * g.channels; ++i) {
    const std::int64_t c = i % g.channels;
    const auto row = static_cast<std::size_t>(i / g.channels * g.groups) + g.group(c);
    each[0].push_back(mean[row]);
    each[1].push_back(inverse[row] * scale[g.pick(c, scale.size())]);
    each[2].push_back(bias[g.pick(c, bias.size())]);
  }
  kernels::row_affine(g.n * g.channels, g.places, x, each[0].data(), each[1].data(), each[2].data(), y);
}

void run_channels_last(const Groups& g, const float* x, double epsilon, const std::vector<float>& scale,
                       const std::vector<float>& bias, float* y) {
  std::vector<float> shift;
  for (std::int64_t c = 0; c < g.channels; ++c) shift.push_back(bias[g.pick(c, bias.size())]);
  for (std::int64_t n = 0; n < g.n; ++n) {
    const std::int64_t at = n * g.places * g.channels;
    ByChannel own = measure(g, x + at, epsilon);
    for (std::int64_t c = 0; c < g.channels; ++c)
      own.inverse[static_cast<std::size_t>(c)] *= scale[g.pick(c, scale.size())];
    kernels::channel_affine({g.places, g.channels}, x + at, own.mean.data(), own.inverse.data(), shift.data(),
                            y + at);
  }
}

}  // namespace

bool run_group_norm(RunContext& ctx, std::int64_t groups) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat) return false;
  if (ctx.dtype(1) != DType::kFloat || ctx.dtype(2) != DType::kFloat) return false;
  const Dims shape = ctx.shape(0);
  const auto g = groups_of(shape, groups, ctx.shape(1), ctx.shape(2));
  if (!g) return false;
  const double epsilon = ctx.node().float_or("epsilon", 1e-5F);
  const std::vector<float> scale = to_floats(ctx.in(1));
  const std::vector<float> bias = to_floats(ctx.in(2));
  const Layout layout = ctx.layout(0);
  const float* x = ctx.floats(0, layout);
  auto* y = reinterpret_cast<float*>(ctx.out_over(0, 0, DType::kFloat, shape, layout));
  if (layout == Layout::kPlain) {
    run_plain(*g, x, epsilon, scale, bias, y);
  } else {
    run_channels_last(*g, x, epsilon, scale, bias, y);
  }
  return true;
}

void group_norm_gradient(GradientContext& ctx, std::int64_t groups) {
  if (!ctx.has_grad(0)) return;
  const auto g = groups_of(ctx.in_shape(0), groups, ctx.in_shape(1), ctx.in_shape(2));
  if (!g) ctx.fail("the gradient is not available for these shapes");
  const double epsilon = ctx.node().float_or("epsilon", 1e-5F);
  const std::vector<float> scale = to_floats(ctx.in(1));
  const float* x = ctx.in_floats(0, Layout::kChannelsLast);
  const float* dy = ctx.grad(0, Layout::kChannelsLast);
  float* dx = ctx.wants(0) ? ctx.grad_in(0, Layout::kChannelsLast) : nullptr;
  const auto c = static_cast<std::size_t>(g->channels);
  const Channels channels{g->places, g->channels};
  std::vector<double> dscale(num_elements(ctx.in_shape(1)));
  std::vector<double> dbias(num_elements(ctx.in_shape(2)));
  std::vector<double> sums(c);
  std::vector<double> products(c);
  for (std::int64_t n = 0; n < g->n; ++n) {
    const std::int64_t at = n * g->places * g->channels;
    const ByChannel own = measure(*g, x + at, epsilon);
    kernels::channel_gradient_sums(channels, x + at, dy + at, own.mean.data(), own.inverse.data(),
                                   sums.data(), products.data());
    std::vector<double> all(static_cast<std::size_t>(g->groups));
    std::vector<double> along(all.size());
    for (std::int64_t i = 0; i < g->channels; ++i) {
      const auto k = static_cast<std::size_t>(i);
      dscale[g->pick(i, dscale.size())] += products[k];
      dbias[g->pick(i, dbias.size())] += sums[k];
      const auto s = static_cast<double>(scale[g->pick(i, scale.size())]);
      all[g->group(i)] += s * sums[k];
      along[g->group(i)] += s * products[k];
    }
    if (!dx) continue;
    const auto m = static_cast<double>(g->width() * g->places);
    std::vector<float> a(c);
    std::vector<float> b(c);
    std::vector<float> shift(c);
    for (std::int64_t i = 0; i < g->channels; ++i) {
      const auto k = static_cast<std::size_t>(i);
      const auto inverse = static_cast<double>(own.inverse[k]);
      a[k] = own.inverse[k] * scale[g->pick(i, scale.size())];
      b[k] = static_cast<float>(-inverse * inverse * along[g->group(i)] / m);
      shift[k] = static_cast<float>(-inverse * all[g->group(i)] / m);
    }
    kernels::channel_gradient(channels, x + at, dy + at, own.mean.data(), a.data(), b.data(), shift.data(),
                              dx + at);
  }
  if (ctx.wants(1)) std::copy(dscale.begin(), dscale.end(), ctx.grad_in(1));
  if (ctx.wants(2)) std::copy(dbias.begin(), dbias.end(), ctx.grad_in(2));
}

}  // namespace compressor::ops

// normalize: sums in double over contiguous numbers, then one pass that scales and shifts.
#include "ops/normalize.h"

#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

/// Input i broadcast to the shape [.., n] of x: its numbers, and how often the whole of them repeats.
Tensor parameter(const ComputeContext& ctx, std::size_t i, const Dims& x, std::int64_t axis) {
  const Tensor& p = ctx.in(i);
  if (p.rank() > static_cast<std::int64_t>(x.size()) || broadcast_shape(x, p.shape) != x) {
    ctx.fail("parameter is {}, expected to broadcast to {}", to_string(p.shape), to_string(x));
  }
  // One number for each of the normalised ones, unless it differs from row to row.
  const Dims inner(x.begin() + axis, x.end());
  Dims own = p.shape;
  while (own.size() > inner.size() && own.front() == 1) own.erase(own.begin());
  const Dims& shape = own.size() > inner.size() ? x : inner;
  return own == shape ? p : take_strided(p, shape, broadcast_strides(own, shape));
}

template <class T>
struct Rows {
  const T* x;
  T* y;
  const Elements<T>* scale;
  const Elements<T>* bias;  ///< may be null
  std::int64_t n;
};

template <class T>
void write_row(const Rows<T>& rows, std::int64_t row, double mean, double factor) {
  const std::int64_t n = rows.n;
  const T* from = rows.x + row * n;
  T* to = rows.y + row * n;
  const auto m = static_cast<T>(mean);
  const auto f = static_cast<T>(factor);
  const auto at = [&](const Elements<T>& p) {
    return p.data() + (static_cast<std::int64_t>(p.size()) == n ? 0 : row * n);
  };
  const T* scale = at(*rows.scale);
  if (!rows.bias) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = (from[i] - m) * f * scale[i];
    return;
  }
  const T* bias = at(*rows.bias);
  for (std::int64_t i = 0; i < n; ++i) to[i] = (from[i] - m) * f * scale[i] + bias[i];
}

}  // namespace

Tensor normalize_groups(const ComputeContext& ctx, std::int64_t groups, double epsilon) {
  const Tensor& input = ctx.in(0);
  const std::int64_t channels = input.shape[1];
  if (groups < 1 || channels % groups != 0)
    ctx.fail("{} channels do not divide into {} groups", channels, groups);
  for (std::size_t i = 1; i < 3; ++i) {
    const auto n = static_cast<std::int64_t>(ctx.in(i).size());
    if (n != channels && n != groups)
      ctx.fail("input {} has {} numbers, expected {} or {}", i, n, channels, groups);
  }
  Tensor result;
  with_real(ctx, input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    const Elements<T> scale(ctx.in(1));
    const Elements<T> bias(ctx.in(2));
    Result<T> y(input.dtype, input.shape);
    const std::int64_t all = y.size() > 0 ? input.shape[0] * groups : 0;
    const std::int64_t n = all > 0 ? y.size() / all : 0;
    const std::int64_t width = channels / groups;
    const std::int64_t plane = all > 0 ? n / width : 0;
    kernels::in_parallel(y.size() > kParallelWork, all, [&](std::int64_t g) {
      const Moments m = moments_of(x.data() + g * n, n);
      const double factor = 1 / std::sqrt(m.variance + epsilon);
      for (std::int64_t k = 0; k < width; ++k) {
        const std::int64_t group = g % groups;
        const auto pick = [&](const Elements<T>& p) {
          return p[static_cast<std::int64_t>(p.size()) == channels ? group * width + k : group];
        };
        const auto f = static_cast<T>(factor * static_cast<double>(pick(scale)));
        const auto mean = static_cast<T>(m.mean);
        const T shift = pick(bias);
        const T* from = x.data() + g * n + k * plane;
        T* to = y.data() + g * n + k * plane;
        for (std::int64_t i = 0; i < plane; ++i) to[i] = (from[i] - mean) * f + shift;
      }
    });
    result = y.finish();
  });
  return result;
}

void normalize_last(ComputeContext& ctx, std::int64_t axis, bool centred, DType stash) {
  const Tensor& input = ctx.in(0);
  const double epsilon = ctx.node().float_or("epsilon", 1e-5F);
  const Tensor scale_numbers = parameter(ctx, 1, input.shape, axis);
  const bool has_bias = centred && ctx.has(2);
  const Tensor bias_numbers = has_bias ? parameter(ctx, 2, input.shape, axis) : Tensor();
  Dims reduced = input.shape;
  std::fill(reduced.begin() + axis, reduced.end(), 1);
  const auto count = static_cast<std::int64_t>(num_elements(reduced));
  std::vector<double> means(static_cast<std::size_t>(count));
  std::vector<double> factors(static_cast<std::size_t>(count));
  with_real(ctx, input.dtype, [&]<class T>(T) {
    const Elements<T> x(input);
    const Elements<T> scale(scale_numbers);
    std::optional<Elements<T>> bias;
    if (has_bias) bias.emplace(bias_numbers);
    Result<T> y(input.dtype, input.shape);
    const Rows<T> rows{x.data(), y.data(), &scale, bias ? &*bias : nullptr, count > 0 ? y.size() / count : 0};
    kernels::in_parallel(y.size() > kParallelWork, (rows.n > 0 ? count : 0), [&](std::int64_t row) {
      const T* from = x.data() + row * rows.n;
      const Moments m = centred ? moments_of(from, rows.n) : Moments{0, sum_of(from, rows.n, [](double v) {
                                                                          return v * v;
                                                                        }) / static_cast<double>(rows.n)};
      const auto i = static_cast<std::size_t>(row);
      means[i] = m.mean;
      factors[i] = 1 / std::sqrt(m.variance + epsilon);
      write_row(rows, row, means[i], factors[i]);
    });
    ctx.set(0, y.finish());
  });
  const std::size_t outputs = ctx.node().outputs().size();
  if (centred && outputs > 1) ctx.set(1, Tensor::of(stash, reduced, means));
  // SimplifiedLayerNormalization has no mean to give.
  const std::size_t last = centred ? 2 : 1;
  if (outputs > last) ctx.set(last, Tensor::of(stash, reduced, factors));
}

}  // namespace compressor::ops

// sample: pixels and weights are told once for all channels of an image.
#include "ops/sample.h"

#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "ops/real.h"
#include "ops/sample_taps.h"

namespace compressor::ops {
namespace {

/// x [N, C, s..], grid [N, o.., n], y [N, C, o..].
struct Extents {
  Extents(const Dims& x, const Dims& grid)
      : images(x[0]),
        channels(x[1]),
        plane(static_cast<std::int64_t>(num_elements({x.begin() + 2, x.end()}))),
        count(static_cast<std::int64_t>(num_elements({grid.begin() + 1, grid.end() - 1}))),
        lengths(x.begin() + 2, x.end()) {}
  std::int64_t images, channels, plane, count;
  Dims lengths;

  SampleTaps taps(const Sampling& s, const float* grid, std::int64_t image, bool with_slopes = false) const {
    const float* places = grid + image * count * static_cast<std::int64_t>(lengths.size());
    return sample_taps(s, places, count, lengths, with_slopes);
  }
};

/// Calls fn(tap) for all taps of place o.
template <class Fn>
void each_tap(const SampleTaps& taps, std::int64_t o, Fn&& fn) {
  const auto place = static_cast<std::size_t>(o);
  for (std::size_t k = taps.start[place]; k < taps.start[place + 1]; ++k) fn(k);
}

template <class T>
void sample(const Tensor& input, const Tensor& grid, const Sampling& s, Result<T>& y) {
  const Elements<T> x(input);
  const Elements<float> places(grid);
  const Extents e(input.shape, grid.shape);
  for (std::int64_t image = 0; image < e.images; ++image) {
    const SampleTaps taps = e.taps(s, places.data(), image);
    kernels::in_parallel(e.channels * e.count > kParallelWork, e.channels, [&](std::int64_t c) {
      const T* from = x.data() + (image * e.channels + c) * e.plane;
      T* to = y.data() + (image * e.channels + c) * e.count;
      for (std::int64_t o = 0; o < e.count; ++o) {
        double sum = 0;
        each_tap(taps, o,
                 [&](std::size_t k) { sum += taps.weights[k] * static_cast<double>(from[taps.offsets[k]]); });
        to[o] = static_cast<T>(sum);
      }
    });
  }
}

/// dx of one image: every pixel gets its share of what was made of it.
void image_gradient(const Extents& e, const SampleTaps& taps, const float* dy, float* dx) {
  kernels::in_parallel(e.channels * e.count > kParallelWork, e.channels, [&](std::int64_t c) {
    const float* from = dy + c * e.count;
    float* to = dx + c * e.plane;
    std::fill_n(to, e.plane, 0.0F);
    for (std::int64_t o = 0; o < e.count; ++o) {
      each_tap(taps, o,
               [&](std::size_t k) { to[taps.offsets[k]] += static_cast<float>(taps.weights[k]) * from[o]; });
    }
  });
}

/// d grid of one image: how pixels around a place differ, over all channels.
void place_gradient(const Extents& e, const SampleTaps& taps, const float* x, const float* dy, float* dgrid) {
  const auto n = static_cast<std::int64_t>(e.lengths.size());
  kernels::in_parallel(e.channels * e.count > kParallelWork, e.count, [&](std::int64_t o) {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::vector<double>& slopes = taps.slopes[static_cast<std::size_t>(i)];
      double sum = 0;
      each_tap(taps, o, [&](std::size_t k) {
        double product = 0;
        for (std::int64_t c = 0; c < e.channels; ++c) {
          product += static_cast<double>(dy[c * e.count + o]) *
                     static_cast<double>(x[c * e.plane + taps.offsets[k]]);
        }
        sum += slopes[k] * product;
      });
      dgrid[o * n + n - 1 - i] = static_cast<float>(sum);
    }
  });
}

/// Calls fn(i, at) for all places of a grid of that size: at [n + 1] is where it stands, innermost axis
/// first, and 1.
template <class Fn>
void each_place(const std::vector<std::int64_t>& size, bool align, Fn&& fn) {
  const std::size_t n = size.size() - 2;
  std::int64_t count = size[0];
  for (std::size_t k = 2; k < size.size(); ++k) count *= size[k];
  std::vector<double> at(n + 1, 1);
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i;
    for (std::size_t k = 0; k < n; ++k) {
      const std::int64_t length = size[n + 1 - k];
      const auto p = static_cast<double>(rest % length);
      rest /= length;
      const auto d = static_cast<double>(length);
      at[k] = align ? (length > 1 ? 2 * p / (d - 1) - 1 : -1) : (2 * p + 1) / d - 1;
    }
    fn(i, at);
  }
}

}  // namespace

void compute_grid_sample(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Tensor& grid = ctx.in(1);
  const Sampling s = read_sampling(ctx.node());
  const bool fits = x.rank() >= 3 && grid.rank() == x.rank() && grid.shape[0] == x.shape[0] &&
                    grid.shape.back() == x.rank() - 2;
  if (!fits)
    ctx.fail("grid is {}, which does not fit the input {}", to_string(grid.shape), to_string(x.shape));
  Dims shape{x.shape[0], x.shape[1]};
  shape.insert(shape.end(), grid.shape.begin() + 1, grid.shape.end() - 1);
  with_domain(x.dtype, [&]<class T>(T) {
    Result<T> y(x.dtype, shape);
    if (y.size() > 0) {
      if (x.size() == 0) ctx.fail("input {} has no pixels", to_string(x.shape));
      sample(x, grid, s, y);
    }
    ctx.set(0, y.finish());
  });
}

// grid[n, place] = theta[n] (x, y, .., 1)
void compute_affine_grid(ComputeContext& ctx) {
  const Tensor& theta = ctx.in(0);
  const std::vector<std::int64_t> size = to_ints(ctx.in(1));
  const auto n = static_cast<std::int64_t>(size.size()) - 2;
  if (n < 1 || theta.shape != Dims{size[0], n, n + 1}) {
    ctx.fail("theta is {}, which does not fit a size of {} numbers", to_string(theta.shape), size.size());
  }
  const bool align = ctx.node().int_or("align_corners", 0) != 0;
  Dims shape{size[0]};
  shape.insert(shape.end(), size.begin() + 2, size.end());
  shape.push_back(n);
  with_real(ctx, theta.dtype, [&]<class T>(T) {
    const Elements<T> map(theta);
    Result<T> y(theta.dtype, shape);
    const std::int64_t count = y.size() > 0 ? y.size() / (size[0] * n) : 0;
    each_place(size, align, [&](std::int64_t i, const std::vector<double>& at) {
      for (std::int64_t k = 0; k < n; ++k) {
        const T* row = map.data() + ((i / count) * n + k) * (n + 1);
        double sum = 0;
        for (std::int64_t j = 0; j <= n; ++j)
          sum += static_cast<double>(row[j]) * at[static_cast<std::size_t>(j)];
        y[i * n + k] = static_cast<T>(sum);
      }
    });
    ctx.set(0, y.finish());
  });
}

void grid_sample_gradient(GradientContext& ctx) {
  const Sampling s = read_sampling(ctx.node());
  if (num_elements(ctx.in_shape(0)) == 0) return;
  const Extents e(ctx.in_shape(0), ctx.in_shape(1));
  const float* x = ctx.in_floats(0);
  const float* grid = ctx.in_floats(1);
  const float* dy = ctx.grad(0);
  float* dx = ctx.wants(0) ? ctx.grad_in(0) : nullptr;
  float* dgrid = ctx.wants(1) ? ctx.grad_in(1) : nullptr;
  const auto n = static_cast<std::int64_t>(e.lengths.size());
  for (std::int64_t image = 0; image < e.images; ++image) {
    const SampleTaps taps = e.taps(s, grid, image, dgrid != nullptr);
    const std::int64_t at = image * e.channels * e.plane;
    const float* own = dy + image * e.channels * e.count;
    if (dx) image_gradient(e, taps, own, dx + at);
    if (dgrid) place_gradient(e, taps, x + at, own, dgrid + image * e.count * n);
  }
}

void affine_grid_gradient(GradientContext& ctx) {
  if (!ctx.wants(0) || num_elements(ctx.in_shape(0)) == 0) return;
  const std::vector<std::int64_t> size = to_ints(ctx.in(1));
  const Dims& theta = ctx.in_shape(0);
  const std::int64_t n = theta[1];
  const std::int64_t count = static_cast<std::int64_t>(num_elements(ctx.out_shape(0))) / (theta[0] * n);
  const float* dy = ctx.grad(0);
  std::vector<double> sums(num_elements(theta));
  each_place(size, ctx.node().int_or("align_corners", 0) != 0,
             [&](std::int64_t i, const std::vector<double>& at) {
               for (std::int64_t k = 0; k < n; ++k) {
                 double* row = sums.data() + (i / count * n + k) * (n + 1);
                 for (const double p : at) *row++ += static_cast<double>(dy[i * n + k]) * p;
               }
             });
  std::transform(sums.begin(), sums.end(), ctx.grad_in(0), [](double v) { return static_cast<float>(v); });
}

}  // namespace compressor::ops

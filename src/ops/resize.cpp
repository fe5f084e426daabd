// resize: axis by axis, rows of what lies inside an axis as vectors.
#include "ops/resize.h"

#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

/// x [outer, in, inner] -> y [outer, out, inner]
template <class T>
struct Pass {
  const T* x;
  T* y;
  std::int64_t outer, in, out, inner;
  const AxisTaps& taps;
  T extrapolation;
};

/// One number at a time, for the last axis.
template <class T>
void along_last(const Pass<T>& p, std::int64_t o) {
  const T* from = p.x + o * p.in;
  T* to = p.y + o * p.out;
  const std::int64_t* pixels = p.taps.pixels.data();
  const double* weights = p.taps.weights.data();
  for (std::int64_t i = 0; i < p.out; ++i) {
    const auto k = static_cast<std::size_t>(i);
    const std::size_t first = p.taps.start[k];
    const std::size_t last = p.taps.start[k + 1];
    if (p.taps.outside[k]) {
      to[i] = p.extrapolation;
    } else if (last - first == 1) {
      to[i] = from[pixels[first]];
    } else {
      double sum = 0;
      for (std::size_t t = first; t < last; ++t) sum += weights[t] * static_cast<double>(from[pixels[t]]);
      to[i] = static_cast<T>(sum);
    }
  }
}

/// Place i of the axis: a row of what lies inside it.
template <class T>
void along_outer(const Pass<T>& p, std::int64_t o, std::int64_t i) {
  const auto k = static_cast<std::size_t>(i);
  T* to = p.y + (o * p.out + i) * p.inner;
  const std::size_t first = p.taps.start[k];
  const std::size_t last = p.taps.start[k + 1];
  if (p.taps.outside[k]) {
    std::fill_n(to, p.inner, p.extrapolation);
    return;
  }
  const auto row = [&](std::size_t t) { return p.x + (o * p.in + p.taps.pixels[t]) * p.inner; };
  if (last - first == 1) {
    std::copy_n(row(first), p.inner, to);
    return;
  }
  for (std::size_t t = first; t < last; ++t) {
    const T* from = row(t);
    const auto weight = static_cast<T>(p.taps.weights[t]);
    if (t == first) {
      for (std::int64_t j = 0; j < p.inner; ++j) to[j] = weight * from[j];
    } else {
      for (std::int64_t j = 0; j < p.inner; ++j) to[j] += weight * from[j];
    }
  }
}

template <class T>
void run(const Pass<T>& p) {
  const bool worth = p.outer * p.out * p.inner > kParallelWork;
  if (p.inner == 1) {
    kernels::in_parallel(worth, p.outer, [&](std::int64_t o) { along_last(p, o); });
  } else {
    kernels::in_parallel(worth, p.outer * p.out,
                         [&](std::int64_t task) { along_outer(p, task / p.out, task % p.out); });
  }
}

bool stays(const Resampling& how, const ResizedAxis& axis) {
  return axis.in == axis.out && axis.scale == 1 &&
         how.coordinates != Resampling::Coordinates::kTfCropAndResize;
}

template <class T>
Tensor resize_as(const Tensor& input, const Resampling& how, std::span<const ResizedAxis> axes,
                 double extrapolation) {
  const Elements<T> x(input);
  Dims shape = input.shape;
  for (std::size_t i = 0; i < axes.size(); ++i) shape[i] = axes[i].out;
  Result<T> y(input.dtype, shape);
  if (y.size() == 0) return y.finish();
  std::vector<T> held;
  const T* from = x.data();
  std::int64_t size = static_cast<std::int64_t>(x.size());
  std::size_t last = axes.size();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!stays(how, axes[i])) last = i;
  }
  if (last == axes.size()) std::copy_n(from, size, y.data());
  std::int64_t outer = 1;
  for (std::size_t i = 0; i < axes.size(); outer *= axes[i].out, ++i) {
    if (stays(how, axes[i])) continue;
    const AxisTaps taps = resample(how, axes[i]);
    const std::int64_t inner = size / (outer * axes[i].in);
    size = size / axes[i].in * axes[i].out;
    std::vector<T> next(i == last ? 0 : static_cast<std::size_t>(size));
    T* to = i == last ? y.data() : next.data();
    run(Pass<T>{from, to, outer, axes[i].in, axes[i].out, inner, taps, static_cast<T>(extrapolation)});
    held = std::move(next);
    from = held.data();
  }
  return y.finish();
}

}  // namespace

Tensor resize(const Tensor& x, const Resampling& how, std::span<const ResizedAxis> axes,
              double extrapolation) {
  if (how.mode == Resampling::Mode::kNearest) {
    return with_domain(x.dtype, [&]<class T>(T) { return resize_as<T>(x, how, axes, extrapolation); });
  }
  if (x.dtype == DType::kDouble) return resize_as<double>(x, how, axes, extrapolation);
  return resize_as<float>(x, how, axes, extrapolation);
}

}  // namespace compressor::ops

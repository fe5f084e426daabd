// real: arithmetic on floating point elements: in which type it is done, and sums that keep their digits.
#pragma once

#include <cmath>
#include <cstdint>

#include "compressor/ops/op.h"
#include "ops/elements.h"

namespace compressor::ops {

/// Calls fn(T{}): double for double, float for all narrower floating point types. Fails for other types.
template <class Fn>
void with_real(const ComputeContext& ctx, DType type, Fn&& fn) {
  if (!is_float(type)) ctx.fail("elements are {}, expected floating point numbers", name(type));
  if (type == DType::kDouble) return fn(double{});
  fn(float{});
}

/// fn(x[0]) + fn(x[1]) + ..., in eight partial sums of double.
template <class T, class Fn>
double sum_of(const T* x, std::int64_t n, Fn&& fn) {
  double lanes[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int k = 0; k < 8; ++k) lanes[k] += fn(static_cast<double>(x[i + k]));
  }
  for (; i < n; ++i) lanes[i % 8] += fn(static_cast<double>(x[i]));
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

template <class T>
double sum_of(const T* x, std::int64_t n) {
  return sum_of(x, n, [](double v) { return v; });
}

/// Of n > 0 numbers; the variance is that of the whole, not an estimate.
struct Moments {
  double mean = 0;
  double variance = 0;
};

template <class T>
Moments moments_of(const T* x, std::int64_t n) {
  const double mean = sum_of(x, n) / static_cast<double>(n);
  const double squares = sum_of(x, n, [mean](double v) { return (v - mean) * (v - mean); });
  return {mean, squares / static_cast<double>(n)};
}

/// Work below this many operations is not worth waking a second thread for.
constexpr std::int64_t kParallelWork = 1 << 16;

}  // namespace compressor::ops

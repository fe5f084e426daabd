// normalize_rows: rows by their own moments, each on one thread; sums in double, in lanes.
#include <algorithm>
#include <cmath>
#include <vector>

#include "compressor/kernels/in_parallel.h"
#include "compressor/kernels/normalize.h"
#include "kernels/simd.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kParallelFrom = 1 << 15;
constexpr int kLanes = 16;

double total(const double* lanes) {
  double sum = 0;
  for (int k = 0; k < kLanes / 2; ++k) sum += lanes[k] + lanes[k + kLanes / 2];
  return sum;
}

COMPRESSOR_CLONES double sum_of(const float* x, std::int64_t n) {
  double lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) lanes[k] += static_cast<double>(x[i + k]);
  }
  for (; i < n; ++i) lanes[i % kLanes] += static_cast<double>(x[i]);
  return total(lanes);
}

COMPRESSOR_CLONES double squares_of(const float* x, std::int64_t n, double mean) {
  double lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) {
      const double d = static_cast<double>(x[i + k]) - mean;
      lanes[k] += d * d;
    }
  }
  for (; i < n; ++i) {
    const double d = static_cast<double>(x[i]) - mean;
    lanes[i % kLanes] += d * d;
  }
  return total(lanes);
}

COMPRESSOR_CLONES void normalize(const float* x, std::int64_t n, float mean, float inverse,
                                 const float* scale, const float* bias, float* y) {
  if (scale && bias) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * inverse * scale[i] + bias[i];
  } else if (scale) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * inverse * scale[i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * inverse;
  }
}

/// sums[0] = sum of g, sums[1] = sum of g times the normalised x, where g = dy scale.
COMPRESSOR_CLONES void gradient_sums(const float* x, const float* dy, const float* scale, std::int64_t n,
                                     float mean, float inverse, double* sums) {
  double a[kLanes] = {};
  double b[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) {
      const float g = scale ? dy[i + k] * scale[i + k] : dy[i + k];
      a[k] += static_cast<double>(g);
      b[k] += static_cast<double>(g * (x[i + k] - mean) * inverse);
    }
  }
  for (; i < n; ++i) {
    const float g = scale ? dy[i] * scale[i] : dy[i];
    a[i % kLanes] += static_cast<double>(g);
    b[i % kLanes] += static_cast<double>(g * (x[i] - mean) * inverse);
  }
  sums[0] = total(a);
  sums[1] = total(b);
}

COMPRESSOR_CLONES void gradient_row(const float* x, const float* dy, const float* scale, std::int64_t n,
                                    float mean, float inverse, float g_mean, float product_mean, float* dx) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float g = scale ? dy[i] * scale[i] : dy[i];
    dx[i] = inverse * (g - g_mean - (x[i] - mean) * inverse * product_mean);
  }
}

COMPRESSOR_CLONES void add_parameters(const float* x, const float* dy, std::int64_t n, float mean,
                                      float inverse, double* dscale, double* dbias) {
  for (std::int64_t i = 0; i < n; ++i) {
    dscale[i] += static_cast<double>(dy[i] * (x[i] - mean) * inverse);
    dbias[i] += static_cast<double>(dy[i]);
  }
}

}  // namespace

void row_moments(const Rows& s, const float* x, float* mean, float* inverse) {
  const auto n = static_cast<double>(s.n);
  in_parallel(s.rows > 1 && s.rows * s.n > kParallelFrom, s.rows, [&](std::int64_t r) {
    const float* row = x + r * s.n;
    const double m = s.centred ? sum_of(row, s.n) / n : 0;
    mean[r] = static_cast<float>(m);
    inverse[r] = static_cast<float>(1 / std::sqrt(squares_of(row, s.n, m) / n + s.epsilon));
  });
}

void row_normalize(const Rows& s, const float* x, const float* mean, const float* inverse, const float* scale,
                   const float* bias, float* y) {
  in_parallel(s.rows > 1 && s.rows * s.n > kParallelFrom, s.rows, [&](std::int64_t r) {
    normalize(x + r * s.n, s.n, mean[r], inverse[r], scale, bias, y + r * s.n);
  });
}

void row_gradient(const Rows& s, const float* x, const float* dy, const float* mean, const float* inverse,
                  const float* scale, float* dx) {
  const auto n = static_cast<double>(s.n);
  in_parallel(s.rows > 1 && s.rows * s.n > kParallelFrom, s.rows, [&](std::int64_t r) {
    double sums[2];
    gradient_sums(x + r * s.n, dy + r * s.n, scale, s.n, mean[r], inverse[r], sums);
    const auto g_mean = static_cast<float>(s.centred ? sums[0] / n : 0);
    gradient_row(x + r * s.n, dy + r * s.n, scale, s.n, mean[r], inverse[r], g_mean,
                 static_cast<float>(sums[1] / n), dx + r * s.n);
  });
}

void row_parameter_gradient(const Rows& s, const float* x, const float* dy, const float* mean,
                            const float* inverse, float* dscale, float* dbias) {
  constexpr std::int64_t kRowsEach = 64;
  const auto n = static_cast<std::size_t>(s.n);
  const std::int64_t chunks = (s.rows + kRowsEach - 1) / kRowsEach;
  std::vector<double> partial(static_cast<std::size_t>(chunks) * 2 * n);
  in_parallel(chunks > 1 && s.rows * s.n > kParallelFrom, chunks, [&](std::int64_t i) {
    double* own = partial.data() + static_cast<std::size_t>(i) * 2 * n;
    for (std::int64_t r = i * kRowsEach; r < std::min(s.rows, (i + 1) * kRowsEach); ++r) {
      add_parameters(x + r * s.n, dy + r * s.n, s.n, mean[r], inverse[r], own, own + n);
    }
  });
  std::vector<double> sums(2 * n);
  for (std::size_t i = 0; i < partial.size(); ++i) sums[i % (2 * n)] += partial[i];
  for (std::size_t i = 0; i < n; ++i) {
    if (dscale) dscale[i] = static_cast<float>(sums[i]);
    if (dbias) dbias[i] = static_cast<float>(sums[n + i]);
  }
}

}  // namespace compressor::kernels

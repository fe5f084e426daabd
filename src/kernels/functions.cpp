// functions: blocks for each kind of processor, shared among threads.
#include "compressor/kernels/functions.h"

#include <algorithm>
#include <limits>

#include "compressor/kernels/in_parallel.h"
#include "kernels/simd.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kBlock = 4096;

COMPRESSOR_CLONES void exp_block(const float* x, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = exp_fast(x[i]);
}

/// Polynomials near zero and in the exponent of 1 - e^p away from it.
COMPRESSOR_CLONES void erf_block(const float* x, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float v = x[i];
    const float t = v < 0 ? -v : v;
    const float s = v * v;
    float far = -1.72853470e-5F * t + 3.83197126e-4F;
    far = far * s + (-3.88396438e-3F * t + 2.42546219e-2F);
    far = far * t - 1.06777877e-1F;
    far = far * t - 6.34846687e-1F;
    far = far * t - 1.28717512e-1F;
    far = far * t - t;
    far = t > 4.0F ? 1.0F : 1.0F - exp_fast(far);
    float near = -5.96761703e-4F;
    near = near * s + 4.99119423e-3F;
    near = near * s - 2.67681349e-2F;
    near = near * s + 1.12819925e-1F;
    near = near * s - 3.76125336e-1F;
    near = near * s + 1.28379166e-1F;
    near = near * t + t;
    const float r = t > 0.921875F ? far : near;
    y[i] = v != v ? v : (v < 0 ? -r : r);
  }
}

template <class Block>
void in_blocks(const float* x, float* y, std::int64_t n, Block block) {
  in_parallel(n > 4 * kBlock, (n + kBlock - 1) / kBlock, [&](std::int64_t k) {
    const std::int64_t i = k * kBlock;
    block(x + i, y + i, std::min(kBlock, n - i));
  });
}

COMPRESSOR_CLONES float extreme_block(const float* x, std::int64_t n, float sign) {
  constexpr int kLanes = 32;
  float top[kLanes];
  float odd[kLanes];
  for (int k = 0; k < kLanes; ++k) top[k] = -std::numeric_limits<float>::infinity(), odd[k] = 0;
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) {
      const float v = x[i + k] * sign;
      top[k] = v > top[k] ? v : top[k];
      odd[k] = v != v ? 1.0F : odd[k];
    }
  }
  for (; i < n; ++i) {
    const float v = x[i] * sign;
    top[0] = v > top[0] ? v : top[0];
    odd[0] = v != v ? 1.0F : odd[0];
  }
  float best = top[0];
  bool nan = false;
  for (int k = 0; k < kLanes; ++k) {
    best = std::max(best, top[k]);
    nan = nan || odd[k] != 0;
  }
  return nan ? std::numeric_limits<float>::quiet_NaN() : best * sign;
}

}  // namespace

void exponential(const float* x, float* y, std::int64_t n) {
  in_blocks(x, y, n, [](const float* a, float* b, std::int64_t m) { exp_block(a, b, m); });
}

void error_function(const float* x, float* y, std::int64_t n) {
  in_blocks(x, y, n, [](const float* a, float* b, std::int64_t m) { erf_block(a, b, m); });
}

float largest(const float* x, std::int64_t n) {
  return extreme_block(x, n, 1);
}

float smallest(const float* x, std::int64_t n) {
  return extreme_block(x, n, -1);
}

}  // namespace compressor::kernels

// softmax: rows where the numbers lie together, blocks of neighbouring distributions where they do not.
#include "compressor/kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "compressor/kernels/in_parallel.h"
#include "kernels/simd.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kParallelFrom = 1 << 13;
constexpr std::int64_t kBlock = 64;  ///< distributions that are done together

/// Sixteen numbers of a row; past its end, `rest`.
__attribute__((always_inline)) inline void load(const float* x, std::int64_t n, float rest, Lanes& to) {
  if (n >= kLaneCount) {
    std::memcpy(&to, x, sizeof(to));
    return;
  }
  to = Lanes{} + rest;
  std::memcpy(&to, x, static_cast<std::size_t>(n) * sizeof(float));
}

COMPRESSOR_CLONES float largest(const float* x, std::int64_t n) {
  Lanes top = Lanes{} + x[0];
  for (std::int64_t i = 0; i < n; i += kLaneCount) {
    Lanes v;
    load(x + i, n - i, x[0], v);
    top = v > top ? v : top;
  }
  float result = top[0];
  for (int k = 1; k < kLaneCount; ++k) result = top[k] > result ? top[k] : result;
  return result;
}

float total(const float* lanes) {
  float sum = 0;
  for (int k = 0; k < kLaneCount / 2; ++k) sum += lanes[k] + lanes[k + kLaneCount / 2];
  return sum;
}

/// y = e^(x - top); returns the sum. y may be null.
COMPRESSOR_CLONES float exponentials(const float* x, std::int64_t n, float top, float* y) {
  Lanes sums = {};
  for (std::int64_t i = 0; i < n; i += kLaneCount) {
    Lanes e;
    load(x + i, n - i, -HUGE_VALF, e);
    e -= top;
    exp_lanes(e);
    sums += e;
    if (!y) continue;
    if (n - i >= kLaneCount) {
      std::memcpy(y + i, &e, sizeof(e));
    } else {
      std::memcpy(y + i, &e, static_cast<std::size_t>(n - i) * sizeof(float));
    }
  }
  float lanes[kLaneCount];
  std::memcpy(lanes, &sums, sizeof(lanes));
  return total(lanes);
}

COMPRESSOR_CLONES void scale(float* y, std::int64_t n, float by) {
  for (std::int64_t i = 0; i < n; ++i) y[i] *= by;
}

COMPRESSOR_CLONES void subtract(const float* x, float* y, std::int64_t n, float less) {
  COMPRESSOR_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] - less;
}

void row(const SoftmaxShape& s, const float* x, float* y) {
  const float top = largest(x, s.n);
  if (!s.log) return scale(y, s.n, 1.0F / exponentials(x, s.n, top, y));
  subtract(x, y, s.n, top + std::log(exponentials(x, s.n, top, nullptr)));
}

COMPRESSOR_CLONES void block(const SoftmaxShape& s, const float* x, float* y, std::int64_t width) {
  float top[kBlock];
  float sum[kBlock] = {};
  for (std::int64_t i = 0; i < width; ++i) top[i] = x[i];
  for (std::int64_t k = 1; k < s.n; ++k) {
    const float* from = x + k * s.inner;
    for (std::int64_t i = 0; i < width; ++i) top[i] = from[i] > top[i] ? from[i] : top[i];
  }
  for (std::int64_t k = 0; k < s.n; ++k) {
    const float* from = x + k * s.inner;
    for (std::int64_t i = 0; i < width; ++i) sum[i] += exp_fast(from[i] - top[i]);
  }
  for (std::int64_t i = 0; i < width; ++i) sum[i] = s.log ? top[i] + std::log(sum[i]) : 1.0F / sum[i];
  for (std::int64_t k = 0; k < s.n; ++k) {
    const float* from = x + k * s.inner;
    float* to = y + k * s.inner;
    if (s.log) {
      for (std::int64_t i = 0; i < width; ++i) to[i] = from[i] - sum[i];
    } else {
      for (std::int64_t i = 0; i < width; ++i) to[i] = exp_fast(from[i] - top[i]) * sum[i];
    }
  }
}

COMPRESSOR_CLONES void backward_block(const SoftmaxShape& s, const float* y, const float* dy, float* dx,
                                      std::int64_t width) {
  float sum[kBlock] = {};
  for (std::int64_t k = 0; k < s.n; ++k) {
    const float* p = y + k * s.inner;
    const float* g = dy + k * s.inner;
    for (std::int64_t i = 0; i < width; ++i) sum[i] += s.log ? g[i] : g[i] * p[i];
  }
  for (std::int64_t k = 0; k < s.n; ++k) {
    const float* p = y + k * s.inner;
    const float* g = dy + k * s.inner;
    float* to = dx + k * s.inner;
    COMPRESSOR_INDEPENDENT
    for (std::int64_t i = 0; i < width; ++i) {
      to[i] = s.log ? g[i] - exp_fast(p[i]) * sum[i] : p[i] * (g[i] - sum[i]);
    }
  }
}

COMPRESSOR_CLONES void backward_row(const SoftmaxShape& s, const float* y, const float* dy, float* dx) {
  float lanes[kLaneCount] = {};
  std::int64_t i = 0;
  for (; i + kLaneCount <= s.n; i += kLaneCount) {
    for (int k = 0; k < kLaneCount; ++k) lanes[k] += s.log ? dy[i + k] : dy[i + k] * y[i + k];
  }
  for (int k = 0; i < s.n; ++i, ++k) lanes[k] += s.log ? dy[i] : dy[i] * y[i];
  const float sum = total(lanes);
  COMPRESSOR_INDEPENDENT
  for (std::int64_t j = 0; j < s.n; ++j) {
    dx[j] = s.log ? dy[j] - exp_fast(y[j]) * sum : y[j] * (dy[j] - sum);
  }
}

/// one_row(offset) where the numbers lie together, one_block(offset, width) otherwise.
template <class Row, class Block>
void each(const SoftmaxShape& s, const Row& one_row, const Block& one_block) {
  const std::int64_t size = s.n * s.inner;
  if (s.inner == 1) {
    in_parallel(s.outer > 1 && s.outer * s.n > kParallelFrom, s.outer,
                [&](std::int64_t o) { one_row(o * size); });
    return;
  }
  const std::int64_t blocks = (s.inner + kBlock - 1) / kBlock;
  in_parallel(s.outer * blocks > 1 && s.outer * size > kParallelFrom, s.outer * blocks, [&](std::int64_t t) {
    const std::int64_t first = t % blocks * kBlock;
    one_block(t / blocks * size + first, std::min(kBlock, s.inner - first));
  });
}

}  // namespace

void softmax(const SoftmaxShape& s, const float* x, float* y) {
  each(
      s, [&](std::int64_t at) { row(s, x + at, y + at); },
      [&](std::int64_t at, std::int64_t width) { block(s, x + at, y + at, width); });
}

void softmax_backward(const SoftmaxShape& s, const float* y, const float* dy, float* dx) {
  each(
      s, [&](std::int64_t at) { backward_row(s, y + at, dy + at, dx + at); },
      [&](std::int64_t at, std::int64_t width) { backward_block(s, y + at, dy + at, dx + at, width); });
}

}  // namespace compressor::kernels

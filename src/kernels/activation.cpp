// activation: loops over one function each, in chunks that threads share.
#include "compressor/kernels/activation.h"

#include <algorithm>
#include <cmath>

#include "compressor/kernels/in_parallel.h"
#include "kernels/simd.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kChunk = 1 << 13;

constexpr float kSqrtHalf = 0.70710678118654752F;
constexpr float kInvSqrt2Pi = 0.39894228040143268F;
constexpr float kSqrt2OverPi = 0.79788456080286536F;

// y = f(x) over one chunk; one function for all processors.
#define COMPRESSOR_MAP(NAME, EXPRESSION)                                                             \
  COMPRESSOR_CLONES void NAME(const float* in, float* out, std::int64_t n, [[maybe_unused]] float a, \
                              [[maybe_unused]] float b) {                                            \
    for (std::int64_t i = 0; i < n; ++i) {                                                           \
      const float x = in[i];                                                                         \
      out[i] = (EXPRESSION);                                                                         \
    }                                                                                                \
  }
// dx = f'(x) dy over one chunk.
#define COMPRESSOR_SLOPE(NAME, EXPRESSION)                                                 \
  COMPRESSOR_CLONES void NAME(const float* in, const float* dy, float* dx, std::int64_t n, \
                              [[maybe_unused]] float a, [[maybe_unused]] float b) {        \
    for (std::int64_t i = 0; i < n; ++i) {                                                 \
      const float x = in[i];                                                               \
      dx[i] = (EXPRESSION)*dy[i];                                                          \
    }                                                                                      \
  }

COMPRESSOR_MAP(relu, x < 0 ? 0 : x)
COMPRESSOR_MAP(leaky_relu, x < 0 ? a * x : x)
COMPRESSOR_MAP(clip, x < a ? a : (x > b ? b : x))
COMPRESSOR_MAP(elu, x < 0 ? a * (exp_fast(x) - 1.0F) : x)
COMPRESSOR_MAP(sigmoid, sigmoid_fast(x))
COMPRESSOR_MAP(hyperbolic, tanh_fast(x))
COMPRESSOR_MAP(hard_sigmoid, std::min(std::max(a* x + b, 0.0F), 1.0F))
COMPRESSOR_MAP(hard_swish, x* std::min(std::max(x / 6.0F + 0.5F, 0.0F), 1.0F))
COMPRESSOR_MAP(silu, x* sigmoid_fast(a* x))
COMPRESSOR_MAP(gelu_tanh, 0.5F * x * (1.0F + tanh_fast(kSqrt2OverPi * (x + 0.044715F * x * x * x))))
void gelu(const float* in, float* out, std::int64_t n, float /*a*/, float /*b*/) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = 0.5F * in[i] * (1.0F + std::erf(in[i] * kSqrtHalf));
}
float softplus_of(float x) {
  return x > 20 ? x : std::log1p(std::exp(x));
}
void softplus(const float* in, float* out, std::int64_t n, float /*a*/, float /*b*/) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = softplus_of(in[i]);
}
void mish(const float* in, float* out, std::int64_t n, float /*a*/, float /*b*/) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = in[i] * std::tanh(softplus_of(in[i]));
}

// Where f' can be told from y (see derivative_from_output), x may be y.
COMPRESSOR_SLOPE(relu_slope, x > 0 ? 1.0F : 0.0F)
COMPRESSOR_SLOPE(leaky_relu_slope, x < 0 ? a : 1.0F)
COMPRESSOR_SLOPE(clip_slope, x > a && x < b ? 1.0F : 0.0F)
COMPRESSOR_SLOPE(elu_slope, x < 0 ? a * exp_fast(x) : 1.0F)
COMPRESSOR_SLOPE(sigmoid_slope, x*(1.0F - x))     // of y
COMPRESSOR_SLOPE(hyperbolic_slope, 1.0F - x * x)  // of y
COMPRESSOR_SLOPE(hard_sigmoid_slope, a* x + b > 0 && a * x + b < 1 ? a : 0.0F)
COMPRESSOR_SLOPE(hard_swish_slope, x <= -3 ? 0.0F : (x >= 3 ? 1.0F : x / 3.0F + 0.5F))
COMPRESSOR_SLOPE(silu_slope, sigmoid_fast(a* x) * (1.0F + a * x * (1.0F - sigmoid_fast(a * x))))
COMPRESSOR_SLOPE(softplus_slope, sigmoid_fast(x))
void gelu_slope(const float* in, const float* dy, float* dx, std::int64_t n, float /*a*/, float /*b*/) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float x = in[i];
    const float slope = 0.5F * (1.0F + std::erf(x * kSqrtHalf)) + x * kInvSqrt2Pi * std::exp(-0.5F * x * x);
    dx[i] = slope * dy[i];
  }
}
void gelu_tanh_slope(const float* in, const float* dy, float* dx, std::int64_t n, float /*a*/, float /*b*/) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float x = in[i];
    const float t = std::tanh(kSqrt2OverPi * (x + 0.044715F * x * x * x));
    const float inner = kSqrt2OverPi * (1.0F + 3.0F * 0.044715F * x * x);
    dx[i] = (0.5F * (1.0F + t) + 0.5F * x * (1.0F - t * t) * inner) * dy[i];
  }
}
void mish_slope(const float* in, const float* dy, float* dx, std::int64_t n, float /*a*/, float /*b*/) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float x = in[i];
    const float t = std::tanh(softplus_of(x));
    const float s = 1.0F / (1.0F + std::exp(-x));
    dx[i] = (t + x * (1.0F - t * t) * s) * dy[i];
  }
}

#undef COMPRESSOR_MAP
#undef COMPRESSOR_SLOPE

using Map = void (*)(const float*, float*, std::int64_t, float, float);
using Slope = void (*)(const float*, const float*, float*, std::int64_t, float, float);

COMPRESSOR_CLONES void relu_columns(const float* x, std::int64_t rows, std::int64_t n, const float* slope,
                                    float* y) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* from = x + r * n;
    float* to = y + r * n;
    COMPRESSOR_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i] < 0 ? slope[i] * from[i] : from[i];
  }
}

Map map_of(Activation::Kind kind) {
  using K = Activation::Kind;
  switch (kind) {
    case K::kNone:
      return nullptr;
    case K::kRelu:
      return relu;
    case K::kLeakyRelu:
      return leaky_relu;
    case K::kClip:
      return clip;
    case K::kElu:
      return elu;
    case K::kSigmoid:
      return sigmoid;
    case K::kTanh:
      return hyperbolic;
    case K::kHardSigmoid:
      return hard_sigmoid;
    case K::kHardSwish:
      return hard_swish;
    case K::kSilu:
      return silu;
    case K::kGelu:
      return gelu;
    case K::kGeluTanh:
      return gelu_tanh;
    case K::kSoftplus:
      return softplus;
    case K::kMish:
      return mish;
  }
  return nullptr;
}

Slope slope_of(Activation::Kind kind) {
  using K = Activation::Kind;
  switch (kind) {
    case K::kNone:
      return nullptr;
    case K::kRelu:
      return relu_slope;
    case K::kLeakyRelu:
      return leaky_relu_slope;
    case K::kClip:
      return clip_slope;
    case K::kElu:
      return elu_slope;
    case K::kSigmoid:
      return sigmoid_slope;
    case K::kTanh:
      return hyperbolic_slope;
    case K::kHardSigmoid:
      return hard_sigmoid_slope;
    case K::kHardSwish:
      return hard_swish_slope;
    case K::kSilu:
      return silu_slope;
    case K::kGelu:
      return gelu_slope;
    case K::kGeluTanh:
      return gelu_tanh_slope;
    case K::kSoftplus:
      return softplus_slope;
    case K::kMish:
      return mish_slope;
  }
  return nullptr;
}

/// body(begin, count) for every chunk of [0, n).
template <class Body>
void each_chunk(std::int64_t n, const Body& body) {
  const std::int64_t chunks = (n + kChunk - 1) / kChunk;
  in_parallel(chunks > 4, chunks,
              [&](std::int64_t c) { body(c * kChunk, std::min(kChunk, n - c * kChunk)); });
}

}  // namespace

void activate(const Activation& f, const float* x, float* y, std::int64_t n) {
  const Map map = map_of(f.kind);
  if (!map) {
    if (x != y) std::copy_n(x, n, y);
    return;
  }
  each_chunk(n, [&](std::int64_t at, std::int64_t count) { map(x + at, y + at, count, f.a, f.b); });
}

void activate_backward(const Activation& f, const float* x, const float* dy, float* dx, std::int64_t n) {
  const Slope slope = slope_of(f.kind);
  if (!slope) {
    if (dx != dy) std::copy_n(dy, n, dx);
    return;
  }
  each_chunk(n,
             [&](std::int64_t at, std::int64_t count) { slope(x + at, dy + at, dx + at, count, f.a, f.b); });
}

void parametric_relu(const float* x, std::int64_t rows, std::int64_t n, const float* slope, bool by_column,
                     std::int64_t slopes, float* y) {
  const std::int64_t step = std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(1, n));
  const std::int64_t tasks = (rows + step - 1) / step;
  in_parallel(rows * n > 4 * kChunk, tasks, [&](std::int64_t t) {
    const std::int64_t first = t * step;
    const std::int64_t count = std::min(step, rows - first);
    if (by_column) {
      relu_columns(x + first * n, count, n, slope, y + first * n);
      return;
    }
    for (std::int64_t r = first; r < first + count; ++r) {
      leaky_relu(x + r * n, y + r * n, n, slope[r % slopes], 0);
    }
  });
}

bool derivative_from_output(const Activation& f) {
  using K = Activation::Kind;
  return f.kind == K::kRelu || f.kind == K::kSigmoid || f.kind == K::kTanh || f.kind == K::kNone;
}

}  // namespace compressor::kernels

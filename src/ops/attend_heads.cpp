// attend_heads: a product, a softmax and a product for every head.
#include "ops/attend_heads.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compressor/kernels/in_parallel.h"
#include "ops/product.h"
#include "ops/real.h"

namespace compressor::ops {
namespace {

/// In place; scores of -infinity get nothing, and all of them nothing where all are.
void softmax(std::span<float> scores, const float* sink) {
  float most = sink ? *sink : -std::numeric_limits<float>::infinity();
  for (const float v : scores) most = std::max(most, v);
  if (std::isinf(most) && most < 0) return std::fill(scores.begin(), scores.end(), 0.0F);
  double sum = sink ? std::exp(static_cast<double>(*sink - most)) : 0.0;
  for (float& v : scores) {
    v = std::exp(v - most);
    sum += static_cast<double>(v);
  }
  for (float& v : scores) v = static_cast<float>(static_cast<double>(v) / sum);
}

void attend_head(const Attend& a, std::int64_t b, std::int64_t h, float* out) {
  const std::int64_t kv = b * a.kv_heads + h / (a.heads / a.kv_heads);
  const float* q = a.q + (b * a.heads + h) * a.length * a.width;
  const std::vector<float> k = transposed(a.k + kv * a.keys * a.width, a.keys, a.width, a.width);
  std::vector<float> scores(static_cast<std::size_t>(a.length * a.keys));
  add_product(a.length, a.keys, a.width, q, a.width, k.data(), a.keys, scores.data(), a.keys);
  const float sink = a.sink ? a.sink(h) : 0;
  for (std::int64_t t = 0; t < a.length; ++t) {
    const std::span<float> row(scores.data() + t * a.keys, static_cast<std::size_t>(a.keys));
    for (float& v : row) v *= a.scale;
    if (a.adjust) a.adjust(b, h, t, row);
    softmax(row, a.sink ? &sink : nullptr);
  }
  const std::int64_t step = a.heads * a.value_width;
  add_product(a.length, a.value_width, a.keys, scores.data(), a.keys, a.v + kv * a.keys * a.value_width,
              a.value_width, out + b * a.length * step + h * a.value_width, step);
}

}  // namespace

std::vector<float> attend(const Attend& a) {
  std::vector<float> out(static_cast<std::size_t>(a.batch * a.length * a.heads * a.value_width), 0);
  const std::int64_t count = a.batch * a.heads;
  [[maybe_unused]] const bool large = count * a.length * a.keys * a.width > kParallelWork;
  kernels::in_parallel(large, count,
                       [&](std::int64_t i) { attend_head(a, i / a.heads, i % a.heads, out.data()); });
  return out;
}

std::vector<float> append(const float* past, std::int64_t p, const float* now, std::int64_t s,
                          std::int64_t rows, std::int64_t width) {
  std::vector<float> y(static_cast<std::size_t>(rows * (p + s) * width));
  for (std::int64_t row = 0; row < rows; ++row) {
    float* to = y.data() + row * (p + s) * width;
    std::copy_n(past + row * p * width, p * width, to);
    std::copy_n(now + row * s * width, s * width, to + p * width);
  }
  return y;
}

void turn_pairs(const float* from, float* to, std::int64_t width, std::int64_t pairs, const float* cosines,
                const float* sines, bool interleaved) {
  for (std::int64_t i = 0; i < pairs; ++i) {
    const std::int64_t first = interleaved ? 2 * i : i;
    const std::int64_t second = interleaved ? 2 * i + 1 : i + pairs;
    const float x = from[first];
    const float y = from[second];
    to[first] = x * cosines[i] - y * sines[i];
    to[second] = x * sines[i] + y * cosines[i];
  }
  std::copy(from + 2 * pairs, from + width, to + 2 * pairs);
}

}  // namespace compressor::ops

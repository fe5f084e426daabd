// attend_heads: softmax(q k' scale + ..) v over heads, whatever the operator that asks for it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace compressor::ops {

/// Queries [batch, heads, length, width], keys [batch, kv_heads, keys, width], values [batch, kv_heads, keys,
/// value_width]; query head h reads key head h / (heads / kv_heads).
struct Attend {
  std::int64_t batch = 1, heads = 1, kv_heads = 1, length = 1, keys = 1, width = 1, value_width = 1;
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  float scale = 1;
  /// Changes the scores of query t in head h of sample b before the softmax: adds a bias, sets what is not
  /// seen to -infinity.
  std::function<void(std::int64_t b, std::int64_t h, std::int64_t t, std::span<float> scores)> adjust;
  /// Of a head: a score that takes part in the softmax but has no value; null where there is none.
  std::function<float(std::int64_t h)> sink;
};

/// [batch, length, heads, value_width]
std::vector<float> attend(const Attend& a);

/// [.., p, width] and [.., s, width] -> [.., p + s, width], `rows` of them.
std::vector<float> append(const float* past, std::int64_t p, const float* now, std::int64_t s,
                          std::int64_t rows, std::int64_t width);

/// Turns pairs of the first 2 `pairs` numbers of a head by the angles whose cosines and sines are given; the
/// rest is copied. Pairs are neighbours (interleaved), or the first half with the second.
void turn_pairs(const float* from, float* to, std::int64_t width, std::int64_t pairs, const float* cosines,
                const float* sines, bool interleaved);

}  // namespace compressor::ops

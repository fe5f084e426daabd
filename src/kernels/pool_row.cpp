// pool_row: blocks of channels stay in registers while a window's places go by.
#include "kernels/pool_row.h"

#include <algorithm>
#include <limits>

#include "kernels/simd.h"

namespace compressor::kernels {
namespace {

/// Taps [first, last) of a window at `at` that fall into [low, high).
struct Taps {
  std::int64_t first, last;
};

__attribute__((always_inline)) inline Taps inside(const PoolRow& s, std::int64_t at, std::int64_t low,
                                                  std::int64_t high) {
  Taps t{0, s.kernel};
  while (t.first < s.kernel && at + t.first * s.dilation < low) ++t.first;
  while (t.last > t.first && at + (t.last - 1) * s.dilation >= high) --t.last;
  return t;
}

/// What is made of the places of a window: `result = meet(result, number)`.
struct Largest {
  static constexpr float kNone = -std::numeric_limits<float>::infinity();
  template <class V>
  __attribute__((always_inline)) static void meet(V& top, const V& v) {
    top = v > top ? v : top;
  }
};
struct Sum {
  static constexpr float kNone = 0;
  template <class V>
  __attribute__((always_inline)) static void meet(V& sum, const V& v) {
    sum += v;
  }
};

/// kBlocks times sixteen channels.
template <class Fold, int kBlocks>
__attribute__((always_inline)) inline void fold_lanes(const PoolRow& s, const float* x, std::int64_t width,
                                                      float by, float* y) {
  Lanes result[kBlocks];
  for (Lanes& r : result) r = Lanes{} + Fold::kNone;
  const std::int64_t step = s.dilation * s.channels;
  for (std::int64_t h = 0; h < s.height; ++h) {
    const float* from = x + h * s.below;
    for (std::int64_t w = 0; w < width; ++w, from += step) {
      for (int b = 0; b < kBlocks; ++b) {
        Lanes v;
        std::memcpy(&v, from + b * kLaneCount, sizeof(v));
        Fold::meet(result[b], v);
      }
    }
  }
  for (int b = 0; b < kBlocks; ++b) {
    result[b] *= by;
    std::memcpy(y + b * kLaneCount, &result[b], sizeof(result[b]));
  }
}

template <class Fold>
__attribute__((always_inline)) inline void fold(const PoolRow& s, const float* x, std::int64_t width,
                                                float by, float* y) {
  std::int64_t c = 0;
  for (; c + 4 * kLaneCount <= s.channels; c += 4 * kLaneCount)
    fold_lanes<Fold, 4>(s, x + c, width, by, y + c);
  for (; c + kLaneCount <= s.channels; c += kLaneCount) fold_lanes<Fold, 1>(s, x + c, width, by, y + c);
  if (c == s.channels) return;
  const std::int64_t rest = s.channels - c;
  float result[kLaneCount];
  for (float& r : result) r = Fold::kNone;
  for (std::int64_t h = 0; h < s.height; ++h) {
    for (std::int64_t w = 0; w < width; ++w) {
      const float* from = x + h * s.below + w * s.dilation * s.channels + c;
      for (std::int64_t i = 0; i < rest; ++i) Fold::meet(result[i], from[i]);
    }
  }
  for (std::int64_t i = 0; i < rest; ++i) y[c + i] = result[i] * by;
}

}  // namespace

COMPRESSOR_CLONES void max_row(const PoolRow& row) {
  for (std::int64_t o = 0; o < row.out; ++o) {
    const std::int64_t at = o * row.stride - row.pad_begin;
    const Taps taps = inside(row, at, 0, row.in);
    fold<Largest>(row, row.x + (at + taps.first * row.dilation) * row.channels, taps.last - taps.first, 1.0F,
                  row.y + o * row.channels);
  }
}

COMPRESSOR_CLONES void average_row(const PoolRow& row, std::int64_t padded_height) {
  for (std::int64_t o = 0; o < row.out; ++o) {
    const std::int64_t at = o * row.stride - row.pad_begin;
    const Taps taps = inside(row, at, 0, row.in);
    const Taps padded = padded_height > 0 ? inside(row, at, -row.pad_begin, row.in + row.pad_end) : taps;
    const auto count =
        static_cast<float>((padded.last - padded.first) * (padded_height > 0 ? padded_height : row.height));
    fold<Sum>(row, row.x + (at + taps.first * row.dilation) * row.channels, taps.last - taps.first,
              count > 0 ? 1.0F / count : 0.0F, row.y + o * row.channels);
  }
}

}  // namespace compressor::kernels

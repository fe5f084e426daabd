// hqq: half-quadratic quantization of one block, without data.
//
//   min over z of || w - q(w) ||_p^p, p = 0.7, by alternating
//     e = shrink(w - w_q, beta)        shrink(x) = sign(x) max(0, |x| - |x|^(p - 1) / beta)
//     z = mean(code - (w - e) / s),    beta grows by 1 %
//
// Badri, Shaji 2023, Half-Quadratic Quantization of Large Machine Learning Models. The zero point is kept
// whole, as theirs for 4 bits, so that every form of storage can hold it; the scale follows by least squares.
#include <algorithm>
#include <cmath>

#include "passes/quantize/grid/fit.h"

namespace compressor::quantize {
namespace {

constexpr double kNorm = 0.7;
constexpr double kGrowth = 1.01;
constexpr int kRounds = 20;

double code_of(double x, double scale, double zero, const CodeRange& codes) {
  return std::clamp(std::nearbyint(x / scale + zero), static_cast<double>(codes.low),
                    static_cast<double>(codes.high));
}

double norm_error(std::span<const float> values, const Affine& a, const CodeRange& codes) {
  const auto scale = static_cast<double>(a.scale);
  double sum = 0;
  for (const float v : values) {
    const auto x = static_cast<double>(v);
    const double back = (code_of(x, scale, a.zero, codes) - a.zero) * scale;
    sum += std::pow(std::abs(x - back), kNorm);
  }
  return sum;
}

}  // namespace

Affine hqq(std::span<const float> values, const Affine& start, const CodeRange& codes) {
  const auto scale = static_cast<double>(start.scale);
  double zero = start.zero;
  double beta = 10.0 / std::pow(scale, kNorm - 2);  // theirs is 10 for errors of the order of 1
  double before = INFINITY;
  for (int round = 0; round < kRounds; ++round) {
    double sum = 0, error = 0;
    for (const float v : values) {
      const auto x = static_cast<double>(v);
      const double code = code_of(x, scale, zero, codes);
      const double miss = x - (code - zero) * scale;
      const double size = std::abs(miss);
      const double kept = size == 0 ? 0 : std::max(0.0, size - std::pow(size, kNorm - 1) / beta);
      sum += code - (x - std::copysign(kept, miss)) / scale;
      error += size;
    }
    if (error >= before) break;
    before = error;
    zero = sum / static_cast<double>(values.size());
    beta *= kGrowth;
  }
  const double whole =
      std::clamp(std::nearbyint(zero), static_cast<double>(codes.low), static_cast<double>(codes.high));
  Affine found{.scale = start.scale, .zero = static_cast<std::int32_t>(whole)};
  found.scale = least_squares_scale(values, found, codes);
  return norm_error(values, found, codes) < norm_error(values, start, codes) ? found : start;
}

}  // namespace compressor::quantize

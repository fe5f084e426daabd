// fit_block: one block of numbers: its range, or the part of it that costs least.
//
//   mse    the range shrinks step by step (a clipped value errs by what is cut off, all others by less); then
//          scale = sum x (q - z) / sum (q - z)^2 for the codes q that it gives, as long as that helps
#include <algorithm>
#include <array>
#include <cmath>

#include "passes/quantize/grid/fit.h"

namespace compressor::quantize {
namespace {

constexpr float kRounder = 12582912.0F;  ///< 1.5 * 2^23: adding it rounds to a whole number
constexpr std::size_t kPiece = 4096;     ///< floats are summed up to here, pieces as doubles
constexpr int kSteps = 16;
constexpr int kRefinements = 2;

/// How far the range may shrink: the fewer codes, the more clipping pays.
double least_share(const CodeRange& codes) {
  const int count = codes.high - codes.low + 1;
  if (count > 64) return 0.7;
  return count > 8 ? 0.5 : 0.25;
}

struct Bounds {
  float inverse, low, high;
};

Bounds bounds_of(const Affine& a, const CodeRange& codes) {
  return {1.0F / a.scale, static_cast<float>(codes.low - a.zero), static_cast<float>(codes.high - a.zero)};
}

template <class Piece>
double over_pieces(std::span<const float> values, Piece&& piece) {
  double sum = 0;
  for (std::size_t at = 0; at < values.size(); at += kPiece)
    sum += static_cast<double>(piece(values.data() + at, std::min(kPiece, values.size() - at)));
  return sum;
}

}  // namespace

double squared_error(std::span<const float> values, const Affine& affine, const CodeRange& codes) {
  const Bounds b = bounds_of(affine, codes);
  const float scale = affine.scale;
  return over_pieces(values, [&](const float* x, std::size_t n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::size_t i = 0; i < n; ++i) {
      const float v = std::min(b.high, std::max(b.low, x[i] * b.inverse));
      const float e = x[i] - ((v + kRounder) - kRounder) * scale;
      sum += e * e;
    }
    return sum;
  });
}

float least_squares_scale(std::span<const float> values, const Affine& affine, const CodeRange& codes) {
  const Bounds b = bounds_of(affine, codes);
  double squares = 0;
  const double products = over_pieces(values, [&](const float* x, std::size_t n) {
    float dot = 0, norm = 0;
#pragma omp simd reduction(+ : dot, norm)
    for (std::size_t i = 0; i < n; ++i) {
      const float v = std::min(b.high, std::max(b.low, x[i] * b.inverse));
      const float q = (v + kRounder) - kRounder;
      dot += q * x[i];
      norm += q * q;
    }
    squares += static_cast<double>(norm);
    return dot;
  });
  const auto scale = static_cast<float>(products / squares);
  return squares > 0 && std::isnormal(scale) && std::isnormal(1.0F / scale) && scale > 0 ? scale
                                                                                         : affine.scale;
}

Affine fit_block(std::span<const float> values, float low, float high, const FitOptions& options) {
  const auto range = [&](double share) {
    const auto from = static_cast<float>(share * static_cast<double>(low));
    const auto to = static_cast<float>(share * static_cast<double>(high));
    return options.symmetric ? symmetric_of(from, to, options.codes) : affine_of(from, to, options.codes);
  };
  Affine best = range(1);
  if (options.clip == Clip::kMinMax) return best;
  double least = squared_error(values, best, options.codes);
  if (least == 0) return best;
  const double step = (1 - least_share(options.codes)) / kSteps;
  const auto consider = [&](const Affine& a) {
    const double error = squared_error(values, a, options.codes);
    if (error >= least) return false;
    least = error;
    best = a;
    return true;
  };
  for (int i = 1; i <= kSteps; ++i) consider(range(1 - i * step));
  for (int i = 0; i < kRefinements; ++i) {
    if (!consider({.scale = least_squares_scale(values, best, options.codes), .zero = best.zero})) break;
  }
  if (options.clip == Clip::kHqq) return hqq(values, best, options.codes);
  return best;
}

}  // namespace compressor::quantize

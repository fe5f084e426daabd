// affine: ranges to scales.
#include "passes/quantize/grid/affine.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compressor/base/error.h"

namespace compressor::quantize {
namespace {

/// A scale whose inverse is a float too, and which is no denormal (runtimes flush those to zero).
bool usable(double scale) {
  return scale >= 4 * static_cast<double>(std::numeric_limits<float>::min()) &&
         scale <= static_cast<double>(std::numeric_limits<float>::max()) / 4;
}

}  // namespace

CodeRange code_range(int bits, bool is_signed, bool symmetric, bool reduced) {
  CHECK(bits >= 2 && bits <= 16, "codes of {} bits", bits);
  const int width = reduced ? bits - 1 : bits;
  const std::int32_t half = 1 << (width - 1);
  CodeRange r;
  r.low = is_signed ? -half : 0;
  r.high = is_signed ? half - 1 : 2 * half - 1;
  if (symmetric && bits > 2 && is_signed && !reduced) ++r.low;
  return r;
}

bool has_scale(float low, float high, const CodeRange& codes) {
  const double widest = std::max(std::abs(static_cast<double>(low)), std::abs(static_cast<double>(high)));
  return widest == 0 || usable(widest / (codes.high - codes.low));
}

Affine affine_of(float low, float high, const CodeRange& codes) {
  const double from = std::min(0.0, static_cast<double>(low));
  const double to = std::max(0.0, static_cast<double>(high));
  const double steps = codes.high - codes.low;
  const double scale = (to - from) / steps;
  const auto zero_for_nothing = std::clamp(0, codes.low, codes.high);
  if (!usable(scale)) return {.scale = 1, .zero = zero_for_nothing};
  const auto rounded = static_cast<float>(scale);
  const double zero = std::nearbyint(codes.low - from / static_cast<double>(rounded));
  return {.scale = rounded,
          .zero = static_cast<std::int32_t>(
              std::clamp(zero, static_cast<double>(codes.low), static_cast<double>(codes.high)))};
}

Affine symmetric_of(float low, float high, const CodeRange& codes) {
  const std::int32_t middle = codes.low >= 0 ? (codes.low + codes.high + 1) / 2 : 0;
  const double absmax = std::max(std::abs(static_cast<double>(low)), std::abs(static_cast<double>(high)));
  const double reach = std::max(1, std::min(codes.high - middle, middle - codes.low));
  const double scale = absmax / reach;
  if (!usable(scale)) return {.scale = 1, .zero = middle};
  return {.scale = static_cast<float>(scale), .zero = middle};
}

}  // namespace compressor::quantize

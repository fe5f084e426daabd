// resample: coordinates of resized pixels in float, as runtimes count them, and the filters around them.
#include "ops/resample.h"

#include <algorithm>
#include <cmath>

namespace compressor::ops {
namespace {

using Coordinates = Resampling::Coordinates;

/// Where pixel `at` of the output lies on the input.
float source_of(Coordinates how, const ResizedAxis& axis, std::int64_t at) {
  const auto x = static_cast<float>(at);
  const auto in = static_cast<float>(axis.in);
  const auto out = static_cast<float>(axis.out);
  switch (how) {
    case Coordinates::kAsymmetric:
      return x / axis.scale;
    case Coordinates::kTfHalfPixelForNn:
      return (x + 0.5F) / axis.scale;
    case Coordinates::kPytorchHalfPixel:
      return axis.out > 1 ? (x + 0.5F) / axis.scale - 0.5F : 0;
    case Coordinates::kAlignCorners:
      return axis.out > 1 ? x * (in - 1) / (out - 1) : 0;
    case Coordinates::kTfCropAndResize:
      if (axis.out > 1) {
        return axis.box_begin * (in - 1) + x * (axis.box_end - axis.box_begin) * (in - 1) / (out - 1);
      }
      return 0.5F * (axis.box_begin + axis.box_end) * (in - 1);
    case Coordinates::kHalfPixelSymmetric: {
      // The middle stays the middle where the length was rounded.
      const float adjustment = out / (axis.scale * in);
      return in / 2 * (1 - adjustment) + (x + 0.5F) / axis.scale - 0.5F;
    }
    default:
      return (x + 0.5F) / axis.scale - 0.5F;
  }
}

std::int64_t nearest(Resampling::Rounding rounding, float x, float scale) {
  switch (rounding) {
    case Resampling::Rounding::kPreferFloor:
      return static_cast<std::int64_t>(std::ceil(x - 0.5F));
    case Resampling::Rounding::kPreferCeil:
      return static_cast<std::int64_t>(std::floor(x + 0.5F));
    case Resampling::Rounding::kFloor:
      return static_cast<std::int64_t>(std::floor(x));
    case Resampling::Rounding::kCeil:
      return static_cast<std::int64_t>(std::ceil(x));
    default:  // before opset 11
      return static_cast<std::int64_t>(scale < 1 ? std::ceil(x) : x);
  }
}

double tent(double x) {
  return std::max(0.0, 1 - std::fabs(x));
}

double cubic(double x, double a) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// Adds the taps of a filter around x. `stretch` below 1 widens it, so that no pixel is passed over.
void add_filter(const Resampling& how, const ResizedAxis& axis, float x, AxisTaps& taps) {
  const bool is_cubic = how.mode == Resampling::Mode::kCubic;
  const double stretch = how.antialias ? std::min(1.0, static_cast<double>(axis.scale)) : 1;
  const double reach = (is_cubic ? 2 : 1) / stretch;
  const auto middle = static_cast<std::int64_t>(std::floor(x));
  const double rest = static_cast<double>(x) - static_cast<double>(middle);
  const auto first = static_cast<std::int64_t>(std::floor(rest - reach)) + 1;
  const auto last = static_cast<std::int64_t>(std::ceil(rest + reach)) - 1;
  double total = 0;
  const std::size_t start = taps.weights.size();
  for (std::int64_t k = first; k <= last; ++k) {
    const double distance = stretch * (static_cast<double>(k) - rest);
    double weight = is_cubic ? cubic(distance, how.cubic) : tent(distance);
    const std::int64_t pixel = middle + k;
    if (how.exclude_outside && (pixel < 0 || pixel >= axis.in)) weight = 0;
    if (weight == 0) continue;
    taps.pixels.push_back(std::clamp<std::int64_t>(pixel, 0, axis.in - 1));
    taps.weights.push_back(weight);
    total += weight;
  }
  if (total == 0 || (!how.antialias && !how.exclude_outside)) return;
  for (std::size_t k = start; k < taps.weights.size(); ++k) taps.weights[k] /= total;
}

}  // namespace

AxisTaps resample(const Resampling& how, const ResizedAxis& axis) {
  AxisTaps taps;
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const float x = source_of(how.coordinates, axis, i);
    const bool crops = how.coordinates == Coordinates::kTfCropAndResize;
    taps.outside.push_back(crops && (x < 0 || x > static_cast<float>(axis.in - 1)));
    if (how.mode == Resampling::Mode::kNearest) {
      const std::int64_t pixel = nearest(how.rounding, x, axis.scale);
      taps.pixels.push_back(std::clamp<std::int64_t>(pixel, 0, axis.in - 1));
      taps.weights.push_back(1);
    } else {
      add_filter(how, axis, x, taps);
    }
    taps.start.push_back(taps.pixels.size());
  }
  return taps;
}

}  // namespace compressor::ops

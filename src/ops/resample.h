// resample: which pixels, by which weights, make each pixel of a resized axis.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace compressor::ops {

/// What Resize says of all axes.
struct Resampling {
  enum class Mode : std::uint8_t { kNearest, kLinear, kCubic };
  enum class Rounding : std::uint8_t { kPreferFloor, kPreferCeil, kFloor, kCeil, kSimple };
  enum class Coordinates : std::uint8_t {
    kHalfPixel,
    kHalfPixelSymmetric,
    kPytorchHalfPixel,
    kAlignCorners,
    kAsymmetric,
    kTfHalfPixelForNn,
    kTfCropAndResize,
  };
  Mode mode = Mode::kNearest;
  Rounding rounding = Rounding::kPreferFloor;
  Coordinates coordinates = Coordinates::kHalfPixel;
  float cubic = -0.75F;  ///< the free coefficient of the cubic
  bool antialias = false;
  bool exclude_outside = false;
};

/// One axis: lengths before and after, the scale as it was asked for, the box that is cut out (in lengths).
struct ResizedAxis {
  std::int64_t in = 0, out = 0;
  float scale = 1;
  float box_begin = 0, box_end = 1;
};

/// Pixel i of the output is the sum of weights[k] * input[pixels[k]] over k in [start[i], start[i + 1]).
struct AxisTaps {
  std::vector<std::size_t> start{0};
  std::vector<std::int64_t> pixels;
  std::vector<double> weights;
  std::vector<bool> outside;  ///< of a box that leaves the image: takes the extrapolation value
};

AxisTaps resample(const Resampling& how, const ResizedAxis& axis);

}  // namespace compressor::ops

// sample_taps: the pixels around a place between pixels, their weights, and how weights move with the place.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compressor/graph/model.h"

namespace compressor::ops {

/// What GridSample says of all axes.
struct Sampling {
  enum class Mode : std::uint8_t { kNearest, kLinear, kCubic };
  enum class Padding : std::uint8_t { kZeros, kBorder, kReflection };
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;
};

Sampling read_sampling(const Node& node);

/// Up to four pixels of one axis; one outside of the image (zeros) is left out.
struct PlaceTaps {
  int count = 0;
  std::int64_t pixel[4] = {};
  double weight[4] = {};
  double slope[4] = {};  ///< of the weight, along what the grid says

  void add(const Sampling& s, std::int64_t at, std::int64_t length, double w, double dw);
};

/// `given`: -1 to 1 over the axis.
PlaceTaps taps_of(const Sampling& s, float given, std::int64_t length);

/// Offsets in a plane and weights; those of place i are [start[i], start[i + 1]).
struct SampleTaps {
  std::vector<std::int64_t> offsets;
  std::vector<double> weights;
  std::vector<std::vector<double>>
      slopes;  ///< by axis of the plane, of the weights; empty where not asked for
  std::vector<std::size_t> start{0};
};

/// Of `count` places [count, n], innermost axis first, in a plane of n lengths.
SampleTaps sample_taps(const Sampling& s, const float* places, std::int64_t count,
                       std::span<const std::int64_t> lengths, bool with_slopes);

}  // namespace compressor::ops

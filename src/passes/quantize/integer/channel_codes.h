// channel_codes: int8 codes of a weight, a scale for every output channel or one for all.
//
// Where products saturate in pairs, codes are chosen so that no pair can (pair_safe.h), at the scale at which
// that costs least.
#pragma once

#include <span>
#include <vector>

#include "compressor/codec/grid.h"
#include "compressor/tensor/tensor.h"
#include "passes/quantize/integer/pair_safe.h"
#include "passes/quantize/integer/static_weights.h"

namespace compressor::quantize {

class ChannelCodes {
 public:
  ChannelCodes(const Tensor& weight, const WeightSpot& spot, const StaticOptions& options);

  std::size_t size() const { return channels_.size(); }
  const std::vector<float>& scales() const { return scales_; }
  /// At least `scale`: a bias may need more.
  void widen(std::size_t channel, float scale);

  /// Codes in the order of the weight's elements, and their scales.
  codec::Grid grid() const;
  /// What the codes of a channel may become.
  RowCodes ranges(std::size_t channel) const;

 private:
  std::vector<std::int32_t> codes(std::size_t channel) const;
  float safe_scale(float scale, std::span<const std::vector<float>> channels) const;
  Bytes encode(const codec::Blocks& blocks) const;

  Dims shape_;
  WeightSpot spot_;
  bool safe_;
  std::vector<std::vector<float>> channels_;
  std::vector<float> scales_;
};

}  // namespace compressor::quantize

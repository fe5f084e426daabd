// channel_codes: int8 codes of a weight, a scale for every output channel or one for all.
#include "passes/quantize/integer/channel_codes.h"

#include <algorithm>
#include <cmath>

#include "compressor/base/threads.h"
#include "passes/quantize/grid/fit.h"

namespace compressor::quantize {
namespace {

/// [channels, values of a channel] of a weight with channels along `axis`.
std::vector<std::vector<float>> channels_of(const Tensor& weight, std::int64_t axis) {
  const std::vector<float> all = to_floats(weight);
  const auto channels = static_cast<std::size_t>(weight.shape[static_cast<std::size_t>(axis)]);
  std::size_t inner = 1;
  for (auto i = static_cast<std::size_t>(axis) + 1; i < weight.shape.size(); ++i)
    inner *= static_cast<std::size_t>(weight.shape[i]);
  std::vector<std::vector<float>> result(channels);
  for (std::size_t i = 0; i < all.size(); ++i) result[i / inner % channels].push_back(all[i]);
  return result;
}

codec::Blocks blocks_along(const Dims& shape, std::int64_t axis) {
  codec::Blocks b;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const auto n = static_cast<std::uint64_t>(shape[i]);
    const auto at = static_cast<std::size_t>(axis);
    b.dims[i < at ? 0 : i == at ? 1 : 2] *= n;
  }
  b.block = {b.dims[0], 1, b.dims[2]};
  return b;
}

constexpr CodeRange kCodes{-127, 127};

std::vector<std::int32_t> nearest_codes(std::span<const float> values, float scale) {
  std::vector<std::int32_t> codes(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float q = std::nearbyint(values[i] / scale);
    codes[i] = static_cast<std::int32_t>(
        std::clamp(q, static_cast<float>(kCodes.low), static_cast<float>(kCodes.high)));
  }
  return codes;
}

}  // namespace

ChannelCodes::ChannelCodes(const Tensor& weight, const WeightSpot& spot, const StaticOptions& options)
    : shape_(weight.shape),
      spot_(spot),
      safe_(options.target.saturates && spot.paired),
      channels_(channels_of(weight, spot.axis)) {
  const FitOptions free{kCodes, true, options.weight_clip};
  const auto fitted = [&](std::span<const float> values) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return fit_block(values, *low, *high, free).scale;
  };
  scales_.resize(channels_.size());
  if (!options.target.per_channel) {
    std::fill(scales_.begin(), scales_.end(), safe_scale(fitted(to_floats(weight)), channels_));
    return;
  }
  parallel_for(static_cast<std::int64_t>(channels_.size()), [&](std::int64_t c) {
    const auto i = static_cast<std::size_t>(c);
    scales_[i] = safe_scale(fitted(channels_[i]), std::span(&channels_[i], 1));
  });
}

void ChannelCodes::widen(std::size_t channel, float scale) {
  scales_[channel] = std::max(scales_[channel], scale);
}

codec::Grid ChannelCodes::grid() const {
  codec::Grid grid;
  grid.shape = shape_;
  grid.blocks = blocks_along(shape_, spot_.axis);
  grid.scale = scales_;
  grid.codes = encode(grid.blocks);
  return grid;
}

RowCodes ChannelCodes::ranges(std::size_t channel) const {
  return safe_ ? pair_safe_ranges(codes(channel), spot_.positions) : RowCodes{.range = kCodes};
}

std::vector<std::int32_t> ChannelCodes::codes(std::size_t channel) const {
  std::vector<std::int32_t> codes = nearest_codes(channels_[channel], scales_[channel]);
  if (safe_) make_pair_safe(codes, spot_.positions);
  return codes;
}

/// `scale`, or up to twice as much where fewer codes have to be lowered then: the least squared error.
float ChannelCodes::safe_scale(float scale, std::span<const std::vector<float>> channels) const {
  if (!safe_) return scale;
  constexpr int kSteps = 12;
  float best = scale;
  double least = INFINITY;
  for (int step = 0; step <= kSteps; ++step) {
    const float s = scale * (1 + static_cast<float>(step) / kSteps);
    double error = 0;
    bool moved = false;
    for (const std::vector<float>& values : channels) {
      std::vector<std::int32_t> codes = nearest_codes(values, s);
      moved |= make_pair_safe(codes, spot_.positions);
      for (std::size_t i = 0; i < values.size(); ++i)
        error += std::pow(static_cast<double>(values[i]) - static_cast<double>(s) * codes[i], 2);
    }
    if (error < least) least = error, best = s;
    if (!moved) break;  // a larger one is only coarser
  }
  return best;
}

Bytes ChannelCodes::encode(const codec::Blocks& blocks) const {
  std::vector<std::vector<std::int32_t>> all(size());
  parallel_for(static_cast<std::int64_t>(size()), [&](std::int64_t c) {
    all[static_cast<std::size_t>(c)] = codes(static_cast<std::size_t>(c));
  });
  std::vector<std::size_t> next(size());
  std::vector<std::byte> out(size() == 0 ? 0 : size() * channels_[0].size());
  blocks.each_run(0, out.size(),
                  [&](std::uint64_t first, std::uint64_t n, std::uint64_t s, std::uint64_t step) {
                    for (std::uint64_t i = 0; i < n; ++i) {
                      const std::uint64_t channel = s + i * step;
                      out[first + i] = static_cast<std::byte>(all[channel][next[channel]++] & 0xFF);
                    }
                  });
  return Bytes::own(std::move(out));
}

}  // namespace compressor::quantize

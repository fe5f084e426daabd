// channel_moves: where channels are after an operator that only moves elements or reduces other axes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compressor/ops/facts.h"

namespace compressor::quantize {

struct MovedChannels {
  std::int64_t axis = 1;             ///< of output 0
  std::vector<std::int64_t> source;  ///< for every position there the channel before; -1: zeros
};

/// Transpose, Reshape, Flatten, Squeeze, Unsqueeze, Slice, Pad, and reductions over other axes, of input 0
/// with `channels` along `axis`. Nullopt for other operators and where a channel does not stay on one axis.
std::optional<MovedChannels> move_channels(const Model& model, const FactsMap& facts, const Node& node,
                                           std::int64_t axis, std::int64_t channels);

}  // namespace compressor::quantize

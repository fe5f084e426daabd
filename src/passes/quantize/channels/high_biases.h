// high_biases: what a channel always holds moves into the bias of what reads it.
//
//   Conv(W1, b1) -> Relu -> Conv(W2, b2)   ==>   Conv(W1, b1 - c) -> Relu -> Conv(W2, b2 + W2 c)
//
// With c = max(0, mean - 3 deviations) of the channel before Relu (Nagel et al. 2019, 1906.04721,
// section 4.1.3): Relu(z) = Relu(z - c) + c wherever z >= c, which is 99.87 % of a normal channel; the
// activation spans c less.
#pragma once

#include "compressor/analysis/statistics.h"
#include "compressor/pass/node_filter.h"
#include "passes/quantize/channels/moments.h"

namespace compressor::quantize {

/// What each channel of a value always holds at least, and how far the value reaches.
struct ChannelLevels {
  std::vector<double> least;
  double reach = 0;
};
/// By the name of the value in the main graph.
using Levels = std::map<std::string, ChannelLevels, std::less<>>;

/// As norms tell it: mean - 3 deviations.
Levels levels_of(const Moments& moments);
/// As samples show it, for what layers in front of Relu give: that or, where it is less, the least number
/// that was seen, so that on these samples nothing changes.
Levels see_levels(const Model& model, const NodeFilter& filter, const Samples& samples);

/// In a model whose norms are folded; `moments`, where there are any, are followed. Only where every reader
/// is a Conv without padding (zeros at the edges would not hold c) or a Gemm, with weight and bias constant.
/// What was moved, and what could not be, is recorded in `context`; the number of channels.
std::int64_t absorb_high_biases(Model& model, const Levels& levels, Moments& moments, PassContext& context);

}  // namespace compressor::quantize

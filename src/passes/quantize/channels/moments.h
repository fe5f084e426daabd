// moments: what the channels of a network hold, told from its norms alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compressor/ops/facts.h"
#include "passes/quantize/channels/equalize.h"
#include "passes/quantize/integer/static_qdq.h"

namespace compressor::quantize {

/// One value, channel by channel along `axis`. Taken for normal numbers, cut off at [low, high].
struct ChannelMoments {
  std::int64_t axis = 1;
  std::vector<double> mean, variance, low, high;
};
/// By the name of the value in the main graph.
using Moments = std::map<std::string, ChannelMoments, std::less<>>;

/// Behind a BatchNormalization a channel has mean beta and deviation |gamma|, and lies in beta +- 6 |gamma|
/// (Nagel et al. 2019, 1906.04721, sections 4.2.1 and 5). From there it is propagated:
///   functions of one value     by quadrature over the normal density, ends by the function over [low, high]
///   Add, Sub, Mul, Concat      as if the operands were independent, except x * sigmoid(x)
///   pools, moves, resizing     the same numbers (for pools an upper bound of the variance)
/// What a product gives is not told, and nothing behind it up to the next norm: how its inputs move together
/// decides (measured on ResNet-8 and SqueezeNet, independence loses 17 dB and everything).
Moments guess_moments(const Model& model);

Ranges ranges_of(const Moments& moments);
ChannelMeans means_of(const Moments& moments);
ChannelsSeen seen_of(const Moments& moments);
/// After channels were multiplied.
void scale_moments(Moments& moments, const ChannelFactors& factors);

}  // namespace compressor::quantize

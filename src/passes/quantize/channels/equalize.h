// equalize: factors by channel, moved between layers in float, with which fewer codes are wasted.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compressor/pass/pass.h"
#include "passes/quantize/channels/scale_flow.h"

namespace compressor::quantize {

/// What the channels of a value hold.
struct ChannelSeen {
  std::vector<float> largest;         ///< of |x|
  std::vector<float> power;           ///< E[x^2]
  std::vector<float> magnitude = {};  ///< E|x|; empty where it was not looked at
};
/// By the name of the value in the main graph.
using ChannelsSeen = std::map<std::string, ChannelSeen, std::less<>>;

struct EqualizeOptions {
  /// kWeights: f = sqrt(r2 / r1), so that what a channel's makers and readers span is the same (Nagel et al.
  /// 2019, section 4.1), again and again until nothing moves: for one scale a weight.
  /// kActivations: f = r2^(1-a) / max|x|^a (Xiao et al. 2022, 2211.10438), for weights with a scale for every
  /// output channel, whose rows may have any size: what counts is how wide the activation's channels are
  /// against the columns that read them.
  enum class Rule : std::uint8_t { kWeights, kActivations };
  Rule rule = Rule::kActivations;
  /// The exponent a. Without one each set of channels that are read together gets that of 0, 1/4, .. 1 with
  /// the least expected noise; 0 leaves it as it is.
  std::optional<double> strength;
  /// Only what norms or products make and only MatMul and Gemm read.
  bool products_only = false;
  double weight_codes = 127;  ///< on either side
};

/// The values whose channels the rule for activations asks for, with the axis of their channels.
std::vector<std::pair<const Value*, bool>> values_to_see(const ScaleFlow& flow);  // second: the last axis

/// What the channels of values were multiplied by, by the name of the value.
using ChannelFactors = std::map<std::string, std::vector<double>, std::less<>>;

/// Changes weights, biases and norms so that the model computes the same up to rounding. `seen` may be empty
/// for the rule for weights. What was done and what could not be is recorded in `context`.
ChannelFactors equalize(Model& model, const ChannelsSeen& seen, const EqualizeOptions& options,
                        PassContext& context);

}  // namespace compressor::quantize

// prepare_channels: what is asked for before rounding, step by step: equalisation and smoothing.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "compressor/analysis/statistics.h"
#include "passes/quantize/channels/equalize.h"

namespace compressor::quantize {

struct ScalingOptions {
  std::string equalize = "none";  ///< "none", "activations" or "weights"
  std::optional<double> smooth;   ///< the exponent, where it is asked for
  double weight_codes = 127;      ///< that a weight has on either side
};

/// Runs the model on samples and looks at the channels of what may be scaled.
ChannelsSeen see_channels(const Model& model, const NodeFilter& filter, const Samples& samples);

/// The largest number that a value was seen to hold on samples, for the inputs of bounded_relus(); for
/// clips_to_relus(). Runs the model where there are any.
std::map<std::string, float> see_largest(const Model& model, const NodeFilter& filter,
                                         const Samples& samples);

/// Changes a model in float by the options; its outputs stay as they are, up to rounding. `look` is asked,
/// once for each rule that wants it, what channels hold by now; it may be empty where only weights count.
/// `scaled`, where given, is told of every change.
using Look = std::function<ChannelsSeen(const Model&)>;
void scale_channels(Model& model, const ScalingOptions& options, const Look& look, PassContext& context,
                    const std::function<void(const ChannelFactors&)>& scaled = {});

}  // namespace compressor::quantize

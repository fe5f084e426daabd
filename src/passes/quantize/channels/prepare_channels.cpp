// prepare_channels: looks at channels where a rule asks for it, and hands over to the rules.
#include "passes/quantize/channels/prepare_channels.h"

#include <algorithm>
#include <cmath>

#include "passes/quantize/channels/clip_to_relu.h"

namespace compressor::quantize {

ChannelsSeen see_channels(const Model& model, const NodeFilter& filter, const Samples& samples) {
  const auto wanted = values_to_see(find_scale_flow(model, infer_facts(model), filter));
  ChannelsSeen seen;
  for (const bool last : {false, true}) {
    StatisticsRequest request;
    request.channels = true;
    request.last_axis = last;
    request.bins = 4;
    for (const auto& [value, is_last] : wanted) {
      if (is_last == last) request.values.push_back(value);
    }
    if (request.values.empty()) continue;
    for (const auto& [value, s] : collect_statistics(model, request, samples).values) {
      if (s.channel_min.empty()) continue;  // their number varies, so no weight is laid along them
      ChannelSeen& channels = seen[value->name()];
      for (std::size_t c = 0; c < s.channel_min.size(); ++c) {
        channels.largest.push_back(std::max(std::abs(s.channel_min[c]), std::abs(s.channel_max[c])));
        const double count = std::max(1.0, s.channel_count);
        channels.power.push_back(static_cast<float>(s.channel_squares[c] / count));
        channels.magnitude.push_back(static_cast<float>(s.channel_magnitude[c] / count));
      }
    }
  }
  return seen;
}

std::map<std::string, float> see_largest(const Model& model, const NodeFilter& filter,
                                         const Samples& samples) {
  StatisticsRequest request;
  request.bins = 4;
  for (const Node* node : bounded_relus(model, filter)) request.values.push_back(node->input(0));
  std::map<std::string, float> largest;
  if (request.values.empty()) return largest;
  for (const auto& [value, s] : collect_statistics(model, request, samples).values)
    largest[value->name()] = static_cast<float>(s.all.max);
  return largest;
}

void scale_channels(Model& model, const ScalingOptions& options, const Look& look, PassContext& context,
                    const std::function<void(const ChannelFactors&)>& scaled) {
  const auto apply = [&](const ChannelsSeen& seen, const EqualizeOptions& rule) {
    const ChannelFactors factors = equalize(model, seen, rule, context);
    if (scaled) scaled(factors);
  };
  EqualizeOptions rule;
  rule.weight_codes = options.weight_codes;
  if (options.smooth) {
    EqualizeOptions smooth = rule;
    smooth.strength = options.smooth;
    smooth.products_only = true;
    apply(look(model), smooth);
  }
  if (options.equalize == "activations") return apply(look(model), rule);
  if (options.equalize != "weights") return;
  rule.rule = EqualizeOptions::Rule::kWeights;
  apply({}, rule);
}

}  // namespace compressor::quantize

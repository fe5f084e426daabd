// layer_ratios: ratios for single layers, from a YAML file of `pattern: ratio`.
#pragma once

#include <optional>
#include <string>

#include "compressor/pass/layer_settings.h"

namespace compressor::prune {

/// `pattern: ratio` or `pattern: {ratio: 0.3}`, in the file's order; a pattern is a regular expression
/// searched in the node's name, or op:TYPE. The first match counts.
class LayerRatios {
 public:
  /// Of the file at `path`, or those of `settings` where it is empty. Throws Error::io or Error::usage naming
  /// the file and the line.
  LayerRatios(const std::string& path, const LayerSettings& settings);
  std::optional<double> of(const Node& node) const;

 private:
  LayerSettings settings_;
};

}  // namespace compressor::prune

// layer_ratios: ratios for single layers, from a YAML file of `pattern: ratio`.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "compressor/graph/graph.h"

namespace compressor::prune {

/// `pattern: ratio` or `pattern: {ratio: 0.3}`, in the file's order; a pattern is a regular expression
/// searched in the node's name, or op:TYPE. The first match counts.
class LayerRatios {
 public:
  /// Empty path: no ratios. Throws Error::io or Error::usage naming the file and the line.
  explicit LayerRatios(const std::string& path);
  std::optional<double> of(const Node& node) const;

 private:
  struct Entry {
    std::string op;
    std::regex expression;
    double ratio = 0;
  };
  std::vector<Entry> entries_;
};

}  // namespace compressor::prune

// layer_ratios: read and match.
#include "passes/prune/layer_ratios.h"

#include <yaml-cpp/yaml.h>

#include "compressor/base/error.h"

namespace compressor::prune {

LayerRatios::LayerRatios(const std::string& path) {
  if (path.empty()) return;
  YAML::Node root;
  try {
    root = YAML::LoadFile(path);
  } catch (const YAML::BadFile&) {
    throw Error::io("{}: cannot read the file of layer ratios", path);
  } catch (const YAML::Exception& e) {
    throw Error::usage("{}: not a YAML file of ratios by layer: {}", path, e.what());
  }
  if (!root.IsMap()) throw Error::usage("{}: expected lines of 'pattern: ratio'", path);
  for (const auto& item : root) {
    const auto pattern = item.first.as<std::string>();
    Entry entry;
    try {
      entry.ratio = (item.second.IsMap() ? item.second["ratio"] : item.second).as<double>();
    } catch (const YAML::Exception&) {
      throw Error::usage("{}: line {}: '{}' has no ratio, expected a number in [0, 1)", path,
                         item.first.Mark().line + 1, pattern);
    }
    if (!(entry.ratio >= 0 && entry.ratio < 1)) {
      throw Error::usage("{}: line {}: ratio of '{}' is {}, expected a number in [0, 1)", path,
                         item.first.Mark().line + 1, pattern, entry.ratio);
    }
    if (pattern.starts_with("op:")) {
      entry.op = pattern.substr(3);
    } else {
      try {
        entry.expression = std::regex(pattern);
      } catch (const std::regex_error&) {
        throw Error::usage("{}: line {}: '{}' is not a regular expression", path, item.first.Mark().line + 1,
                           pattern);
      }
    }
    entries_.push_back(std::move(entry));
  }
}

std::optional<double> LayerRatios::of(const Node& node) const {
  const std::string& label = !node.name().empty() || !node.output(0) ? node.name() : node.output(0)->name();
  for (const Entry& entry : entries_) {
    const bool match = entry.op.empty() ? std::regex_search(label, entry.expression) : node.op() == entry.op;
    if (match) return entry.ratio;
  }
  return std::nullopt;
}

}  // namespace compressor::prune

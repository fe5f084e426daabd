// padding: reading of Pad's amounts and mode, and its four ways to fill.
#include "ops/padding.h"

#include <numeric>

namespace compressor::ops {

PadAmounts pad_amounts(const Node& node, const Ints& pads, const std::optional<Ints>& named,
                       std::int64_t rank) {
  Ints axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (named) axes = axes_in(node, *named, rank);
  if (pads.size() != 2 * axes.size()) {
    throw Error::model("node '{}' (Pad): {} amounts, expected {}", node.label(), pads.size(),
                       2 * axes.size());
  }
  PadAmounts a{Ints(static_cast<std::size_t>(rank), 0), Ints(static_cast<std::size_t>(rank), 0)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    a.before[static_cast<std::size_t>(axes[i])] = pads[i];
    a.after[static_cast<std::size_t>(axes[i])] = pads[axes.size() + i];
  }
  return a;
}

std::int64_t pad_source(std::int64_t i, std::int64_t n, const std::string& mode) {
  if (i >= 0 && i < n) return i;
  if (mode == "constant" || n == 0) return -1;
  if (mode == "edge") return i < 0 ? 0 : n - 1;
  if (mode == "wrap") return (i % n + n) % n;
  if (n == 1) return 0;
  const std::int64_t period = 2 * (n - 1);
  const std::int64_t p = (i % period + period) % period;
  return p < n ? p : period - p;
}

std::string pad_mode(const Node& node) {
  std::string mode = node.string_or("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") {
    throw Error::model("node '{}' (Pad): mode is '{}', expected constant, reflect, edge or wrap",
                       node.label(), mode);
  }
  return mode;
}

}  // namespace compressor::ops

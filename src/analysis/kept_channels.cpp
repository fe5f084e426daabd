// kept_channels: one walk in graph order.
#include "analysis/kept_channels.h"

namespace compressor {
namespace {

/// Axes of weight (input 1, or a norm's scale) and output along which a layer's channels lie.
struct ChannelAxes {
  std::int64_t weight = 0, output = 0;
};

std::optional<ChannelAxes> channel_axes(const Node& node, std::size_t rank) {
  if (node.is("Conv") || node.is("BatchNormalization") || node.is("InstanceNormalization")) {
    return ChannelAxes{.weight = 0, .output = 1};
  }
  if (node.is("ConvTranspose")) return ChannelAxes{.weight = 1, .output = 1};
  if (node.is("Gemm")) return ChannelAxes{.weight = node.int_or("transB", 0) != 0 ? 0 : 1, .output = 1};
  // Along the last axis, counted from the end as the output's rank is not known here.
  if (node.is("MatMul") && rank >= 2) {
    return ChannelAxes{.weight = static_cast<std::int64_t>(rank) - 1, .output = -1};
  }
  return std::nullopt;
}

/// Operators whose output has other channels than their input, so that nothing can be passed on.
bool reorders(const Node& node) {
  for (const char* op : {"Reshape", "Transpose", "Flatten", "Concat", "Split", "Slice", "Gather", "Squeeze",
                         "Unsqueeze", "DepthToSpace", "SpaceToDepth"}) {
    if (node.is(op)) return true;
  }
  return false;
}

KeptAxes of_node(const Node& node, const KeptIndices& weights,
                 const std::map<const Value*, KeptAxes>& known) {
  const Value* weight = node.input(1);
  if (weight && weight->initializer()) {
    if (const auto axes = channel_axes(node, weight->initializer()->shape.size())) {
      const auto cut = weights.find(weight->name());
      if (cut == weights.end()) return {};
      const auto kept = cut->second.find(axes->weight);
      if (kept == cut->second.end()) return {};
      return {{axes->output, kept->second}};
    }
  }
  if (reorders(node)) return {};
  for (const Value* input : node.inputs()) {
    if (const auto found = known.find(input); input && found != known.end()) return found->second;
  }
  return {};
}

}  // namespace

std::map<const Value*, KeptAxes> kept_channels(const Graph& graph, const KeptIndices& weights) {
  std::map<const Value*, KeptAxes> known;
  if (weights.empty()) return known;
  for (const Node& node : graph.nodes()) {
    KeptAxes kept = of_node(node, weights, known);
    if (kept.empty()) continue;
    for (const Value* output : node.outputs()) {
      if (output) known[output] = kept;
    }
  }
  return known;
}

}  // namespace compressor

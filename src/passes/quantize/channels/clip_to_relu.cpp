// clip_to_relu: bounds of Clip in all opsets, and which of them may go.
#include "passes/quantize/channels/clip_to_relu.h"

#include <cmath>

#include "compressor/ops/facts.h"

namespace compressor::quantize {

std::optional<ClipBounds> clip_bounds(const Model& model, const Node& node) {
  if (!node.is("Clip") || !node.domain().empty()) return std::nullopt;
  const auto bound = [&](std::size_t input, const char* attribute, float otherwise) -> std::optional<float> {
    const Value* v = node.input(input);
    if (!v) return node.float_or(attribute, otherwise);
    const auto c = fixed_constant(model, *v);
    return c && c->size() == 1 ? std::optional(to_floats(*c)[0]) : std::nullopt;
  };
  const ClipBounds none;
  const auto low = bound(1, "min", none.low), high = bound(2, "max", none.high);
  if (!low || !high || std::isnan(*low) || std::isnan(*high) || *low > *high) return std::nullopt;
  return ClipBounds{*low, *high};
}

std::vector<const Node*> bounded_relus(const Model& model, const NodeFilter& filter) {
  std::vector<const Node*> list;
  for (const Node& node : model.graph->nodes()) {
    const auto bounds = clip_bounds(model, node);
    if (bounds && bounds->low == 0 && bounds->high > 0 && bounds->has_high() && node.input(0) &&
        filter.matches(node))
      list.push_back(&node);
  }
  return list;
}

std::int64_t clips_to_relus(Model& model, const std::function<std::optional<float>(const Value&)>& reaches,
                            PassContext& context) {
  Graph& graph = *model.graph;
  std::int64_t count = 0;
  for (const Node* node : bounded_relus(model, context.filter)) {
    const float bound = clip_bounds(model, *node)->high;
    std::string why = "as it was asked for";
    if (reaches) {
      const auto most = reaches(*node->input(0));
      if (!most || !(*most < bound)) {
        context.done(*node, "stays Clip",
                     most ? fmt::format("its input reaches {:.3g}, its bound is {:.3g}", *most, bound)
                          : "what its input holds is not known");
        continue;
      }
      why = fmt::format("its input reaches {:.3g}", *most);
    }
    context.done(*node, "made Relu", fmt::format("its bound {:.3g} went: {}", bound, why));
    graph.set_inputs(*node, {node->input(0)});
    graph.erase_attribute(*node, "min");
    graph.erase_attribute(*node, "max");
    graph.set_op(*node, "Relu");
    ++count;
  }
  return count;
}

}  // namespace compressor::quantize

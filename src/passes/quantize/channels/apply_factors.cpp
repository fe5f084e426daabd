// apply_factors: constants that make channels are multiplied, constants that read them divided.
#include <algorithm>

#include "compressor/base/error.h"
#include "passes/quantize/channels/scale_flow.h"

namespace compressor::quantize {

const ScaledValue* ScaleFlow::find(const Value& value) const {
  const auto it =
      std::find_if(values.begin(), values.end(), [&](const ScaledValue& v) { return v.value == &value; });
  return it == values.end() ? nullptr : &*it;
}

void apply_factors(Model& model, const ScaleFlow& flow, const std::vector<double>& factors) {
  CHECK(factors.size() == flow.classes, "{} factors for {} classes", factors.size(), flow.classes);
  Graph& graph = *model.graph;
  for (const ScaledConstant& c : flow.constants) {
    const bool changes =
        std::any_of(c.classes.begin(), c.classes.end(), [&](std::size_t k) { return factors[k] != 1; });
    if (!changes) continue;
    const Value& old = *c.node->input(c.input);
    const Tensor t = *fixed_constant(model, old);
    const std::vector<float> before = to_floats(t);
    const Dims shape = c.expanded.empty() ? t.shape : c.expanded;
    std::vector<float> after(num_elements(shape));
    const std::size_t repeated = after.size() / before.size();
    for (std::size_t i = 0; i < after.size(); ++i) {
      const double f = factors[c.classes[c.channels.of(i)]];
      // An expanded constant has one channel before: its elements repeat for each of the new ones.
      const std::size_t outer = i / (c.channels.inner * c.channels.count);
      const std::size_t at = repeated == 1 ? i : outer * c.channels.inner + i % c.channels.inner;
      const auto v = static_cast<double>(before[at]);
      after[i] = static_cast<float>(c.role == ScaledConstant::Role::kReader ? v / f : v * f);
    }
    Tensor scaled = Tensor::of(shape, std::span<const float>(after));
    if (old.initializer() && old.uses().size() == 1 && !old.is_input()) {
      graph.set_initializer(old, std::move(scaled));
      continue;
    }
    graph.set_input(*c.node, c.input, graph.add_initializer(graph.fresh_name(old.name()), std::move(scaled)));
    if (old.uses().empty() && old.producer()) graph.erase(*old.producer());
  }
}

}  // namespace compressor::quantize

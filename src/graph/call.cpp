// call: resolves the attribute references of a function's body.
#include "compressor/graph/call.h"

namespace compressor {

CallAttributes::CallAttributes(const Function& function, const Node& call) {
  for (const Attribute& a : function.defaults) values_.emplace_back(a.name, copy_plain(a));
  for (const Attribute& a : call.attributes()) values_.emplace_back(a.name, copy_plain(a));
}

const Attribute* CallAttributes::find(const std::string& name) const {
  for (auto it = values_.rbegin(); it != values_.rend(); ++it) {
    if (it->first == name) return &it->second;
  }
  return nullptr;
}

void CallAttributes::resolve(Graph& graph, const Node& node) const {
  std::vector<std::pair<std::string, std::string>> references;  // name, and what it refers to
  for (const Attribute& a : node.attributes()) {
    if (!a.ref.empty()) references.emplace_back(a.name, a.ref);
  }
  for (const auto& [name, ref] : references) {
    const Attribute* value = find(ref);
    if (!value) {
      graph.erase_attribute(node, name);
      continue;
    }
    Attribute resolved = copy_plain(*value);
    resolved.name = name;
    graph.set_attribute(node, std::move(resolved));
  }
  for (Graph* body : graph.bodies(node)) {
    for (const Node& inner : body->nodes()) resolve(*body, inner);
  }
}

Model instantiate(const Model& model, const Function& function, const Node& call) {
  Model result = model.clone();
  result.graph = function.body->clone();
  result.opsets = function.opsets;
  const CallAttributes attributes(function, call);
  for (const Node* node : result.graph->node_list()) attributes.resolve(*result.graph, *node);
  return result;
}

}  // namespace compressor

// untie:  b -> Add1, b -> Add2   ==>   b -> Add1, b' -> Add2   for a vector b.
#include "passes/prune/untie.h"

#include <algorithm>
#include <set>
#include <unordered_map>

namespace compressor::prune {
namespace {

/// The stored vector behind a value, through Identity; null when there is none.
const Value* stored_vector(const Value& value) {
  const Value* v = &value;
  while (v->producer() && v->producer()->is("Identity") && v->producer()->input(0))
    v = v->producer()->input(0);
  const Tensor* tensor = v->initializer();
  return tensor && !v->is_input() && tensor->rank() == 1 && is_float(tensor->dtype) && tensor->size() > 1
             ? v
             : nullptr;
}

class Untie {
 public:
  explicit Untie(Model& model) : model_(model) {}

  std::vector<VectorCopy> run() {
    model_.each_graph([&](Graph& graph) {
      for (const Node* node : graph.node_list()) visit(graph, *node);
      drop_bypassed(graph);
    });
    return std::move(copies_);
  }

 private:
  void visit(Graph& graph, const Node& node) {
    if (node.is("Identity")) return;
    std::unordered_map<const Value*, const Value*> own;  // one copy for a node that reads the vector twice
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      const Value* vector = node.input(i) ? stored_vector(*node.input(i)) : nullptr;
      if (!vector) continue;
      const auto [it, added] = own.emplace(vector, nullptr);
      if (added && taken_.insert(vector).second && node.input(i) == vector) {
        it->second = vector;  // the first reader keeps it
      } else if (added) {
        it->second =
            graph.add_initializer(graph.fresh_name(vector->name() + "_copy"), *vector->initializer());
        copies_.push_back({it->second->name(), vector->name()});
      }
      if (it->second == node.input(i)) continue;
      if (node.input(i) != vector) bypassed_.insert(node.input(i)->producer());
      graph.set_input(node, i, it->second);
    }
  }

  /// Identities that lost their last reader.
  void drop_bypassed(Graph& graph) {
    const std::vector<const Node*> nodes = graph.node_list();
    for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
      if (!(*it)->is("Identity") || !bypassed_.contains(*it) || !(*it)->output(0)->uses().empty()) continue;
      const Value* from = (*it)->input(0);
      graph.erase(**it);
      if (from->producer()) bypassed_.insert(from->producer());
    }
  }

  Model& model_;
  std::set<const Value*> taken_;
  std::set<const Node*> bypassed_;
  std::vector<VectorCopy> copies_;
};

}  // namespace

std::vector<VectorCopy> untie_vectors(Model& model) {
  return Untie(model).run();
}

void retie_vectors(Model& model, const std::vector<VectorCopy>& copies, std::vector<Removed>& removed) {
  const auto positions = [&](const std::string& name) {
    const auto it =
        std::find_if(removed.begin(), removed.end(), [&](const Removed& r) { return r.tensor == name; });
    return it == removed.end() ? std::vector<std::int64_t>() : it->index;
  };
  model.each_graph([&](Graph& graph) {
    for (const VectorCopy& c : copies) {
      const Value* copy = graph.find(c.copy);
      const Value* original = copy ? graph.resolve(c.original) : nullptr;
      if (!original || positions(c.copy) != positions(c.original)) continue;
      const std::vector<Use> uses(copy->uses().begin(), copy->uses().end());
      for (const Use& use : uses) graph.set_input(*use.node, use.index, original);
      graph.erase_initializer(*copy);
      std::erase_if(removed, [&](const Removed& r) { return r.tensor == c.copy; });
    }
  });
}

}  // namespace compressor::prune

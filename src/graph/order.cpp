// order: topological order of a graph, bodies included, and the invariants of the whole structure.
#include <algorithm>
#include <queue>
#include <unordered_set>

#include "compressor/base/error.h"
#include "compressor/graph/graph.h"

namespace compressor {
namespace {

/// Calls visit(value) for all that a node reads, captures of its bodies included.
template <class Visit>
void each_read(const Node& node, Visit&& visit) {
  for (const Value* v : node.inputs()) {
    if (v) visit(*v);
  }
  for (const Graph* body : node.bodies()) {
    for (const Node& inner : body->nodes()) each_read(inner, visit);
    for (const Value* v : body->outputs()) visit(*v);
  }
}

/// The nodes of `graph` that `node` waits for.
std::unordered_set<const Node*> waits_for(const Graph& graph, const Node& node) {
  std::unordered_set<const Node*> producers;
  each_read(node, [&](const Value& v) {
    if (v.producer() && &v.producer()->graph() == &graph) producers.insert(v.producer());
  });
  return producers;
}

}  // namespace

bool Graph::is_sorted() const {
  std::unordered_set<const Node*> seen;
  for (const Node& node : nodes_) {
    for (const Node* producer : waits_for(*this, node)) {
      if (!seen.contains(producer)) return false;
    }
    for (const Graph* body : node.bodies()) {
      if (!body->is_sorted()) return false;
    }
    seen.insert(&node);
  }
  return true;
}

void Graph::sort() {
  std::vector<const Node*> order = node_list();
  std::unordered_map<const Node*, std::size_t> rank;
  for (std::size_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
  std::vector<std::size_t> missing(order.size());
  std::vector<std::vector<std::size_t>> readers(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto producers = waits_for(*this, *order[i]);
    missing[i] = producers.size();
    for (const Node* p : producers) readers[rank.at(p)].push_back(i);
  }
  // Kahn's algorithm; of the nodes that are ready, the one that stood first goes first.
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (missing[i] == 0) ready.push(i);
  }
  std::size_t done = 0;
  while (!ready.empty()) {
    const std::size_t i = ready.top();
    ready.pop();
    ++done;
    nodes_.splice(nodes_.end(), nodes_, own(*order[i])->self_);
    for (const std::size_t r : readers[i]) {
      if (--missing[r] == 0) ready.push(r);
    }
  }
  if (done < order.size()) {
    const auto stuck = std::find_if(missing.begin(), missing.end(), [](std::size_t m) { return m > 0; });
    throw Error::model("node '{}' is on a cycle",
                       order[static_cast<std::size_t>(stuck - missing.begin())]->label());
  }
  for (const Node& node : nodes_) {
    for (Graph* body : bodies(node)) body->sort();
  }
}

void Graph::verify() const {
  std::unordered_map<const Value*, std::size_t> uses;
  const auto count = [&](const Value* v, const Use& use) {
    if (!v) return;
    CHECK(std::count(v->uses_.begin(), v->uses_.end(), use) == 1, "value '{}' does not know one of its uses",
          v->name());
    const Graph* g = this;
    while (g && g != v->graph_) g = g->parent();
    CHECK(g, "value '{}' is read outside the graph that holds it", v->name());
    CHECK(v->graph_->find(v->name()) == v, "value '{}' is not in its graph", v->name());
  };
  for (const Node& node : nodes_) {
    CHECK(node.graph_ == this && &*node.self_ == &node);
    for (std::size_t i = 0; i < node.inputs_.size(); ++i) count(node.inputs_[i], {&node, i, this});
    for (std::size_t i = 0; i < node.outputs_.size(); ++i) {
      const Value* v = node.outputs_[i];
      CHECK(!v || (v->producer_ == &node && v->output_index_ == i && v->graph_ == this), "output {} of '{}'",
            i, node.label());
    }
    for (const Graph* body : node.bodies()) {
      CHECK(body->holder_ == &node, "a body of '{}' has another holder", node.label());
      body->verify();
    }
  }
  for (std::size_t i = 0; i < outputs_.size(); ++i) count(outputs_[i], {nullptr, i, this});
  for (const auto& [name, value] : values_) {
    CHECK(value->name_ == name && value->graph_ == this);
    for (const Use& use : value->uses_) {
      const Value* read = use.node ? use.node->input(use.index) : use.graph->outputs_.at(use.index);
      CHECK(read == value.get(), "value '{}' has a stale use", name);
    }
  }
  CHECK(is_sorted(), "graph '{}' is not in topological order", name_);
}

}  // namespace compressor

// driver: applies rewrites until none fires, and removes what nothing reads any more.
#include <algorithm>

#include "compressor/rewrite/rewriter.h"

namespace compressor {

void Rewriter::queue(const Node& node) {
  if (alive_.contains(node.id()) && waiting_.insert(node.id()).second) work_.push_back(node.id());
}

void Rewriter::queue_readers(const Value& value) {
  for (const Use& use : value.uses()) {
    if (use.node) queue(*use.node);
  }
}

bool Rewriter::is_dead(const Node& node) const {
  return may_touch(node) && std::all_of(node.outputs().begin(), node.outputs().end(),
                                        [](const Value* v) { return !v || v->uses().empty(); });
}

void Rewriter::erase(const Node& node) {
  std::vector<const Value*> read;
  const std::function<void(const Node&)> collect = [&](const Node& n) {
    for (const Value* v : n.inputs()) {
      if (v) read.push_back(v);
    }
    for (const Graph* body : n.bodies()) {
      for (const Node& inner : body->nodes()) collect(inner);
    }
  };
  collect(node);
  for (const Value* v : read) {
    if (!graphs_.contains(&v->graph())) continue;
    if (v->producer()) maybe_dead_.push_back(v->producer()->id());
    if (v->initializer()) maybe_unused_.emplace_back(&v->graph(), v->name());
  }
  Graph& graph = graph_of(node);
  forget(node);
  graph.erase(node);
}

bool Rewriter::erase_if_dead(const Value& initializer) {
  if (!initializer.uses().empty() || model_.is_overridable(initializer)) return false;
  if (initializer.is_input()) {
    if (initializer.graph().holder()) return false;  // what a body is called with stays
    ++dropped_inputs_;
  }
  facts_.set(initializer, {});
  graph_of(initializer).erase_initializer(initializer);
  return true;
}

/// Removes what the last edit left without readers, and what only that read.
void Rewriter::clear_dead() {
  while (!maybe_dead_.empty()) {
    const NodeId id = maybe_dead_.back();
    maybe_dead_.pop_back();
    const auto it = alive_.find(id);
    if (it == alive_.end()) continue;
    const Node& node = *it->second;
    if (is_dead(node)) {
      erase(node);
    } else {
      queue(node);  // it lost a reader: what needs a single reader may fire now
    }
  }
  for (const auto& [graph, name] : maybe_unused_) {
    const auto it = graphs_.find(graph);
    if (it == graphs_.end()) continue;
    const Value* v = it->second->find(name);
    if (v && v->initializer()) erase_if_dead(*v);
  }
  maybe_unused_.clear();
}

std::vector<std::int64_t> Rewriter::run(std::span<const Rewrite> rewrites) {
  std::vector<std::int64_t> counts(rewrites.size());
  for (Graph* graph : graphs()) {
    for (const Node& node : graph->nodes()) queue(node);
  }
  // Every rewrite of a sound list makes the graph smaller or a node simpler; functions multiply nodes.
  std::size_t steps = 0;
  while (!work_.empty()) {
    const NodeId id = work_.front();
    work_.pop_front();
    waiting_.erase(id);
    for (std::size_t i = 0; i < rewrites.size(); ++i) {
      const auto it = alive_.find(id);
      if (it == alive_.end()) break;
      const Node& node = *it->second;
      const auto& roots = rewrites[i].roots;
      const bool starts = roots.empty() || (node.domain().empty() &&
                                            std::find(roots.begin(), roots.end(), node.op()) != roots.end());
      if (!starts || !may_touch(node) || !rewrites[i].apply(*this, node)) continue;
      ++counts[i];
      clear_dead();
      if (const auto still = alive_.find(id); still != alive_.end()) queue(*still->second);
      if (++steps <= 64 * (alive_.size() + 1024)) continue;
      stuck_ = true;
      work_.clear();
      waiting_.clear();
      return counts;
    }
  }
  return counts;
}

DeadCounts Rewriter::remove_dead() {
  const std::int64_t dropped = dropped_inputs_;
  DeadCounts counts = remove_dead(*model_.graph);
  maybe_dead_.clear();
  maybe_unused_.clear();
  counts.inputs = dropped_inputs_ - dropped;
  return counts;
}

DeadCounts Rewriter::remove_dead(Graph& graph) {
  DeadCounts counts;
  const auto add = [&](const DeadCounts& more) {
    counts.nodes += more.nodes;
    counts.initializers += more.initializers;
  };
  std::vector<const Node*> nodes = graph.node_list();
  std::reverse(nodes.begin(), nodes.end());  // readers before what they read
  for (const Node* node : nodes) {
    const bool known = node->domain().empty() || node->domain() == "ai.onnx.ml" ||
                       node->domain() == "com.microsoft" || model_.find_function(*node);
    if (known && is_dead(*node)) {
      erase(*node);
      ++counts.nodes;
      continue;
    }
    for (Graph* body : graph.bodies(*node)) add(remove_dead(*body));
  }
  const std::vector<const Value*> initializers(graph.initializers().begin(), graph.initializers().end());
  for (const Value* v : initializers) counts.initializers += erase_if_dead(*v) ? 1 : 0;
  return counts;
}

DeadCounts remove_dead(Model& model) {
  return Rewriter(model).remove_dead();
}

}  // namespace compressor

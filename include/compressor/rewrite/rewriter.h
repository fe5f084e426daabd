// rewriter: a graph under change. Rewrites edit through it, so that facts, worklist and dead nodes follow
// every edit.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compressor/ops/op.h"
#include "compressor/pass/node_filter.h"

namespace compressor {

class Rewriter;

/// A local change that starts at one node. `apply` matches first, then changes: when it returns false,
/// nothing has changed.
struct Rewrite {
  std::string name;                ///< "fold-batchnorm"
  std::vector<std::string> roots;  ///< operators of ai.onnx at which it starts; empty: every node
  std::function<bool(Rewriter&, const Node&)> apply;
};

/// What removing the dead took away.
struct DeadCounts {
  std::int64_t nodes = 0;
  std::int64_t initializers = 0;
  std::int64_t inputs =
      0;  ///< entries for initializers among the graph's inputs, as IR versions below 4 have
};

/// One model under change, its bodies included (functions are not).
class Rewriter {
 public:
  /// Facts are those of the model as it is; nodes that the filter does not match are left alone.
  explicit Rewriter(Model& model, FactsMap facts = {}, const NodeFilter* filter = nullptr);

  // Reading.
  const Model& model() const { return model_; }
  /// Empty facts for a value that came after they were inferred.
  const Facts& facts(const Value& value) const { return facts_.of(value); }
  bool may_touch(const Node& node) const { return !filter_ || filter_->empty() || filter_->matches(node); }
  std::int64_t opset(const Node& node) const { return ops::opset_of(model_, node); }
  /// The constant that a value always has; nullopt for null.
  std::optional<Tensor> constant(const Value* value) const;
  /// The integers that a value always has: a constant, or contents that the facts know.
  std::optional<std::vector<std::int64_t>> ints(const Value* value) const;
  /// `axes`-like settings: the integers of input i when it is there, else the attribute, else nullopt.
  std::optional<std::vector<std::int64_t>> ints_or_attribute(const Node& node, std::size_t i,
                                                             std::string_view name) const;
  /// Both shapes are known and equal, position by position, symbols included.
  bool same_shape(const Value& a, const Value& b) const;
  /// Null when it is gone.
  const Node* find(NodeId id) const;
  /// All graphs, parents before their bodies.
  std::vector<Graph*> graphs();
  Graph& graph_of(const Node& node) { return *graphs_.at(&node.graph()); }
  Graph& graph_of(const Value& value) { return *graphs_.at(&value.graph()); }

  // Changing.
  const Node& add_node(NodeSpec spec, const Node& before);
  /// A constant in the graph of `before`, named after `stem`.
  const Value* add_constant(std::string_view stem, Tensor tensor, const Node& before);
  void set_input(const Node& node, std::size_t index, const Value* value);
  void set_attribute(const Node& node, Attribute attribute);
  /// Input `index` of the node becomes this constant: in place when the node alone reads the initializer
  /// there, a new one otherwise.
  void set_constant(const Node& node, std::size_t index, Tensor tensor, std::string_view stem);
  /// Makes an output that nothing reads absent.
  void drop_output(const Node& node, std::size_t index);
  /// Adds the import of a domain that the model has not imported yet.
  void import(const std::string& domain, std::int64_t version);
  /// Every reader of `from` reads `to`. Where `to` cannot take over the name of a graph output, an Identity
  /// stands between them.
  void replace(const Value& from, const Value& to);
  /// Every reader of `from` reads this constant, which takes over its name.
  void replace(const Value& from, Tensor tensor);
  /// Every reader of any of these equal values reads this constant, which stands in the innermost graph
  /// around all of them.
  void replace(std::span<const Value* const> equal, Tensor tensor);
  /// Copies a body in place of `node` and lets the readers of its outputs read the copy's. Returns the new
  /// nodes.
  std::vector<const Node*> inline_body(const Node& node, const Graph& body,
                                       std::span<const Value* const> arguments, const std::string& prefix);
  /// Why a node that looked right was left alone; each reason once a node.
  void skip(const Node& node, const std::string& why);

  // Driving.
  /// Applies the rewrites until none fires any more, in a fixed order, and returns how often each did.
  /// Stops with `stuck` set after a number of steps that no sound list of rewrites needs.
  std::vector<std::int64_t> run(std::span<const Rewrite> rewrites);
  /// Removes nodes and initializers that nothing reads; operators of foreign domains and overridable
  /// initializers stay.
  DeadCounts remove_dead();
  bool stuck() const { return stuck_; }
  /// Inputs that went because they only named initializers (IR version below 4).
  std::int64_t dropped_inputs() const { return dropped_inputs_; }
  struct Skip {
    std::string node, op, why;
    auto operator<=>(const Skip&) const = default;  // NOLINT(modernize-use-nullptr): not one in sight
  };
  const std::vector<Skip>& skips() const { return skips_; }

 private:
  void enlist(Graph& graph);
  void enlist(Graph& graph, const Node& node);
  void forget(const Node& node);
  void queue(const Node& node);
  void queue_readers(const Value& value);
  bool is_dead(const Node& node) const;
  void erase(const Node& node);
  bool erase_if_dead(const Value& initializer);
  void clear_dead();
  void declare(Graph& graph, const Value& initializer);
  DeadCounts remove_dead(Graph& graph);

  Model& model_;
  FactsMap facts_;
  const NodeFilter* filter_;
  std::unordered_map<const Graph*, Graph*> graphs_;
  std::unordered_map<NodeId, const Node*> alive_;
  std::deque<NodeId> work_;
  std::unordered_set<NodeId> waiting_;
  std::vector<NodeId> maybe_dead_;
  std::vector<std::pair<const Graph*, std::string>> maybe_unused_;  ///< initializers, by name
  std::vector<Skip> skips_;
  std::set<Skip> skipped_;
  std::int64_t dropped_inputs_ = 0;
  bool stuck_ = false;
};

/// Rewriter::remove_dead for a model that nobody else is changing.
DeadCounts remove_dead(Model& model);

}  // namespace compressor

// cut: shrink nodes in order, cut constants, mend declared types, then infer again and compare.
#include "passes/prune/cut.h"

#include <algorithm>
#include <functional>

#include "compressor/ops/op.h"
#include "compressor/tensor/take.h"

namespace compressor::prune {
namespace {

using Kept = std::vector<std::int64_t>;

class Cutter {
 public:
  Cutter(const Model& model, ChannelGroups& groups, const std::set<Atom>& removed,
         const ChannelOptions& options)
      : groups_(groups), options_(options), copy_(model.clone()) {
    pair(*model.graph, *copy_.graph);
    find_kept(removed);
  }

  CutResult run() {
    find_dead(*copy_.graph);
    try {
      shrink(*copy_.graph);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInternal) throw;
      return failure(at_, error.what());
    }
    sweep(*copy_.graph);
    cut_constants();
    mend_types();
    keep_numbers();
    if (auto failed = check()) return std::move(*failed);
    CutResult result;
    result.removed = std::move(removed_);
    result.model = std::move(copy_);
    return result;
  }

 private:
  static CutResult failure(NodeId node, std::string_view why) {
    // The reader of a reason knows the node: "node 'x' (Op): why" becomes "why".
    const std::size_t colon = why.starts_with("node '") ? why.find("): ") : std::string_view::npos;
    CutResult result;
    result.failed = node;
    result.why = colon == std::string_view::npos ? why : why.substr(colon + 3);
    return result;
  }

  /// Walks the original and the copy side by side: same values, same nodes, same order.
  void pair(const Graph& original, Graph& copy) {
    const auto originals = original.values();
    const auto copies = copy.values();
    CHECK(originals.size() == copies.size());
    for (std::size_t i = 0; i < originals.size(); ++i) {
      original_of_[copies[i]] = originals[i];
      before_.set(*copies[i], groups_.facts.of(*originals[i]));
    }
    auto node = copy.nodes().begin();
    for (const Node& n : original.nodes()) {
      const auto inner = n.bodies();
      const auto inner_copies = copy.bodies(*node);
      for (std::size_t i = 0; i < inner.size(); ++i) pair(*inner[i], *inner_copies[i]);
      ++node;
    }
  }

  void find_kept(const std::set<Atom>& removed) {
    for (const auto& [value, axes] : groups_.lists.all()) {
      for (std::size_t axis = 0; axis < axes.size(); ++axis) {
        if (auto kept = groups_.kept(*value, static_cast<std::int64_t>(axis), removed)) {
          kept_[value].emplace(static_cast<std::int64_t>(axis), std::move(*kept));
        }
      }
    }
  }

  const std::map<std::int64_t, Kept>* kept_of(const Value& copy_value) const {
    const auto original = original_of_.find(&copy_value);
    if (original == original_of_.end()) return nullptr;
    const auto it = kept_.find(original->second);
    return it == kept_.end() ? nullptr : &it->second;
  }

  const Kept* kept(const Value& copy_value, std::int64_t axis) const {
    const auto* axes = kept_of(copy_value);
    if (!axes) return nullptr;
    const auto it = axes->find(axis);
    return it == axes->end() ? nullptr : &it->second;
  }

  bool touched(const Node& node) const {
    const auto cut = [this](const Value* v) { return v && kept_of(*v); };
    return std::any_of(node.inputs().begin(), node.inputs().end(), cut) ||
           std::any_of(node.outputs().begin(), node.outputs().end(), cut);
  }

  void shrink(Graph& graph) {
    for (const Node* node : graph.node_list()) {
      for (Graph* body : graph.bodies(*node)) shrink(*body);
      const ops::Op* op = ops::find_op(copy_, *node);
      if (!op || !op->shrink || !touched(*node)) continue;
      at_ = node->id();
      ops::ShrinkContext context(
          graph, *node, ops::opset_of(copy_, *node), before_,
          [this](const Value& v, std::int64_t axis) { return kept(v, axis); },
          !options_.infer.input_shapes.empty());
      op->shrink(context);
    }
  }

  static bool unused(const Node& node) {
    return std::all_of(node.outputs().begin(), node.outputs().end(),
                       [](const Value* v) { return !v || v->uses().empty(); });
  }

  /// What nobody read in the original stays as it is.
  void find_dead(const Graph& graph) {
    for (const Node& node : graph.nodes()) {
      for (const Graph* body : node.bodies()) find_dead(*body);
      if (unused(node)) dead_before_.insert(node.id());
    }
    for (const Value* v : graph.initializers()) {
      if (v->uses().empty()) unread_before_.insert(v);
    }
  }

  /// Removes the nodes and constants that lost their last reader to a new constant.
  void sweep(Graph& graph) {
    std::vector<const Node*> nodes = graph.node_list();
    for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
      if (unused(**it) && !dead_before_.contains((*it)->id())) {
        graph.erase(**it);
        continue;
      }
      for (Graph* body : graph.bodies(**it)) sweep(*body);
    }
    const std::vector<const Value*> initializers(graph.initializers().begin(), graph.initializers().end());
    for (const Value* v : initializers) {
      if (v->uses().empty() && !v->is_input() && !unread_before_.contains(v)) graph.erase_initializer(*v);
    }
  }

  void cut_constants() {
    copy_.each_graph([&](Graph& graph) {
      for (const Value* v : graph.values()) {
        const auto* axes = kept_of(*v);
        if (!axes) continue;
        const auto constant = constant_of(*v);
        if (!constant || v->uses().empty()) continue;
        Tensor tensor = take(*constant, *axes);
        record(*v, *constant, *axes);
        if (v->initializer()) {
          graph.set_initializer(*v, std::move(tensor));
          continue;
        }
        const Node& node = *v->producer();
        for (const char* form : {"value_int", "value_ints", "value_float", "value_floats"})
          graph.erase_attribute(node, form);
        graph.set_attribute(node, {"value", std::move(tensor)});
      }
    });
  }

  void record(const Value& value, const Tensor& before, const std::map<std::int64_t, Kept>& axes) {
    for (const auto& [axis, kept] : axes) {
      Removed r;
      r.tensor = value.name();
      r.axis = axis;
      r.of = before.shape[static_cast<std::size_t>(axis)];
      std::size_t next = 0;
      for (std::int64_t i = 0; i < r.of; ++i) {
        if (next < kept.size() && kept[next] == i) {
          ++next;
        } else {
          r.index.push_back(i);
        }
      }
      removed_.push_back(std::move(r));
    }
  }

  void mend_types() {
    copy_.each_graph([&](Graph& graph) {
      for (const Value* v : graph.values()) {
        const auto* axes = kept_of(*v);
        if (!axes || !v->type().has_shape) continue;
        Type type = v->type();
        for (const auto& [axis, kept] : *axes) {
          if (axis < static_cast<std::int64_t>(type.dims.size())) {
            type.dims[static_cast<std::size_t>(axis)].value = static_cast<std::int64_t>(kept.size());
          }
        }
        graph.set_type(*v, std::move(type));
      }
    });
  }

  /// A count that is computed from a shape and then computed with (the root of a head's width, by which
  /// scores are divided) has changed with the cut, though the original with the channels at zero still has
  /// the old one. Where a count becomes a float, the old number takes its place.
  void keep_numbers() {
    const FactsMap after = infer_facts(copy_, options_.infer);
    bool changed = false;
    copy_.each_graph([&](Graph& graph) {
      for (const Node* node : graph.node_list()) {
        const Value* v = node->is("Cast") ? node->output(0) : nullptr;
        if (!v || kept_of(*v) || v->is_graph_output() || !is_float(before_.of(*v).dtype)) continue;
        const Facts& was = before_.of(*v);
        const auto shape = was.shape();
        const auto old = was.contents ? numbers(*was.contents) : std::nullopt;
        if (!old || !shape || num_elements(*shape) != old->size()) continue;
        const Facts& now = after.of(*v);
        if (!now.contents || !numbers(*now.contents) || now.contents == was.contents) continue;
        const std::vector<double> count(old->begin(), old->end());
        const Value* constant = graph.add_initializer(graph.fresh_name(v->name() + "_kept"),
                                                      Tensor::of(was.dtype, *shape, count));
        graph.replace_uses(*v, *constant);
        changed = true;
      }
    });
    if (changed) sweep(*copy_.graph);
  }

  /// Every value must have its old shape less what went.
  std::optional<CutResult> check() {
    const FactsMap after = infer_facts(copy_, options_.infer);
    std::optional<CutResult> failed;
    for (const FactsMap::Problem& problem : after.problems) {
      const bool old =
          std::any_of(groups_.facts.problems.begin(), groups_.facts.problems.end(),
                      [&](const FactsMap::Problem& p) { return p.node->id() == problem.node->id(); });
      if (!old) return failure(problem.node->id(), problem.why);
    }
    copy_.each_graph([&](Graph& graph) {
      for (const Node& node : graph.nodes()) {
        for (const Value* v : node.outputs()) {
          if (failed || !v || !original_of_.contains(v)) continue;
          failed = check_value(node, *v, after.of(*v));
        }
      }
    });
    return failed;
  }

  std::optional<CutResult> check_value(const Node& node, const Value& value, const Facts& now) {
    const Facts& was = before_.of(value);
    if (!was.ranked) return std::nullopt;
    for (std::int64_t axis = 0; axis < was.rank(); ++axis) {
      const auto old = was.dim(axis).maybe_number();
      const Kept* k = kept(value, axis);
      if (!old && !k) continue;
      const std::int64_t expected = k ? static_cast<std::int64_t>(k->size()) : *old;
      const std::int64_t found =
          now.ranked && axis < now.rank() ? now.dim(axis).maybe_number().value_or(-1) : -1;
      if (found == expected) continue;
      return failure(node.id(),
                     fmt::format("does not follow the cut: axis {} of '{}' has length {}, expected {}", axis,
                                 value.name(), found < 0 ? "unknown" : std::to_string(found), expected));
    }
    return std::nullopt;
  }

  ChannelGroups& groups_;
  const ChannelOptions& options_;
  Model copy_;
  FactsMap before_;
  std::unordered_map<const Value*, const Value*> original_of_;
  std::unordered_map<const Value*, std::map<std::int64_t, Kept>> kept_;
  std::vector<Removed> removed_;
  std::set<NodeId> dead_before_;
  std::set<const Value*> unread_before_;
  NodeId at_ = 0;
};

}  // namespace

CutResult cut(const Model& model, ChannelGroups& groups, const std::set<Atom>& removed,
              const ChannelOptions& options) {
  return Cutter(model, groups, removed, options).run();
}

}  // namespace compressor::prune

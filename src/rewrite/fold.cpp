// fold: a -> Op -> .. -> b, with every a a constant  ==>  b a constant.
//
// Nodes that only read constants form cones; cones that share nodes or weights form a group, which is folded
// as a whole or not at all, because what it costs (the values that others read) and what it saves (the
// constants that nobody else reads) belong together:   growth = sum bytes(values read outside) - sum
// bytes(constants read only here). A group that starts from little (up to 4 KiB) may grow by max_growth; one
// that reads weights may not: growing means decoding a stored weight or copying a shared one. Where a group
// is too costly its largest result stays computed, and what is left is weighed again.
//
// Equal cones are one: both branches of an If read one constant, which stands where both can see it.
#include "compressor/rewrite/fold.h"

#include <algorithm>

#include "compressor/base/disjoint_sets.h"
#include "rewrite/cones.h"

namespace compressor {
namespace {

constexpr std::uint64_t kLittle = 4096;  ///< bytes of constants that are not called weights
constexpr std::uint64_t kJoins = 1024;   ///< a constant above this joins its readers into one group

class Fold {
 public:
  Fold(Rewriter& rewriter, const FoldOptions& options)
      : r_(rewriter), options_(options), cones_(rewriter, options) {}

  std::int64_t run() {
    std::int64_t folded = 0;
    for (Group& group : groups()) folded += fold_group(std::move(group));
    return folded;
  }

 private:
  using Group = std::vector<const Node*>;  ///< in topological order

  struct Result {
    const Value* value;  ///< of the first node of its kind
    std::uint64_t bytes;
    std::vector<const Value*> read;  ///< it and its equals, as far as others read them
  };

  std::vector<Group> groups() const {
    const std::vector<const Node*>& nodes = cones_.nodes();
    std::unordered_map<const Node*, std::size_t> index;
    for (std::size_t i = 0; i < nodes.size(); ++i) index[nodes[i]] = i;
    DisjointSets sets(nodes.size());
    std::unordered_map<const Value*, std::size_t> reader;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (const Value* input : nodes[i]->inputs()) {
        const Value* v = cones_.first(input);
        if (!v) continue;
        if (const Node* producer = cones_.producer(*v)) {
          sets.join(index.at(producer), i);
        } else if (cones_.bytes_of(*v).value_or(0) > kJoins) {
          const auto [it, added] = reader.emplace(v, i);
          if (!added) sets.join(it->second, i);
        }
      }
    }
    std::vector<Group> groups;
    std::unordered_map<std::size_t, std::size_t> group;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const auto [it, added] = group.emplace(sets.root(i), groups.size());
      if (added) groups.emplace_back();
      groups[it->second].push_back(nodes[i]);
    }
    return groups;
  }

  std::vector<Result> results_of(const Group& group, const Cones::Nodes& nodes) const {
    std::vector<Result> results;
    for (const Node* node : group) {
      for (std::size_t i = 0; i < node->outputs().size(); ++i) {
        std::vector<const Value*> read = cones_.read_outside(nodes, *node, i);
        if (read.empty()) continue;
        results.push_back({node->output(i), cones_.bytes_of(*node->output(i)).value_or(0), std::move(read)});
      }
    }
    return results;
  }

  bool is_worth(const Group& group, const Cones::Nodes& nodes, const std::vector<Result>& results) const {
    std::uint64_t made = 0;
    std::uint64_t read = 0;
    std::uint64_t freed = 0;
    for (const Result& r : results) made += r.bytes;
    std::unordered_set<const Value*> seen;
    for (const Node* node : group) {
      for (const Value* input : node->inputs()) {
        const Value* v = cones_.first(input);
        if (!v || (v->producer() && nodes.contains(v->producer())) || !seen.insert(v).second) continue;
        const std::uint64_t bytes = cones_.bytes_of(*v).value_or(0);
        read += bytes;
        if (cones_.all_read_in(nodes, *v)) freed += bytes;
      }
    }
    if (made <= freed) return true;
    return made - freed <= (read <= kLittle ? options_.max_growth : read / 16);
  }

  static bool is_view(const Node* node) {
    return node->is("Transpose") || node->is("Cast") || node->is("Identity");
  }

  std::int64_t fold_group(Group group) {
    if (options_.keep_views && std::all_of(group.begin(), group.end(), is_view)) return 0;
    while (!group.empty()) {
      const Cones::Nodes nodes(group.begin(), group.end());
      const std::vector<Result> results = results_of(group, nodes);
      if (results.empty()) return 0;
      const Node* out = nullptr;  // what has to leave the group
      if (is_worth(group, nodes, results)) {
        out = compute(group, nodes, results);
        if (!out) return replace(results);
      } else {
        out = std::max_element(results.begin(), results.end(), [](const Result& a, const Result& b) {
                return a.bytes < b.bytes;
              })->value->producer();
      }
      remove(group, out);
    }
    return 0;
  }

  /// Takes a node and all that reads it out of the group.
  void remove(Group& group, const Node* node) const {
    Cones::Nodes gone{node};
    std::erase_if(group, [&](const Node* n) {
      const bool reads = std::any_of(n->inputs().begin(), n->inputs().end(), [&](const Value* input) {
        const Value* v = cones_.first(input);
        return v && v->producer() && gone.contains(v->producer());
      });
      if (reads) gone.insert(n);
      return gone.contains(n);
    });
  }

  /// Fills computed_ with the results. Returns the node that could not be computed, if any.
  const Node* compute(const Group& group, const Cones::Nodes& nodes, const std::vector<Result>& results) {
    computed_.clear();
    std::unordered_map<const Value*, std::size_t> waiting;  // readers still to come
    for (const Result& r : results) ++waiting[r.value];
    for (const Node* node : group) {
      for (const Value* input : node->inputs()) {
        const Value* v = cones_.first(input);
        if (v && v->producer() && nodes.contains(v->producer())) ++waiting[v];
      }
    }
    for (const Node* node : group) {
      if (!compute(*node)) return node;
      for (const Value* input : node->inputs()) {
        const Value* v = cones_.first(input);
        const auto it = v ? waiting.find(v) : waiting.end();
        if (it != waiting.end() && --it->second == 0) computed_.erase(v);
      }
    }
    return nullptr;
  }

  bool compute(const Node& node) {
    std::vector<std::optional<Tensor>> held;
    std::vector<const Tensor*> inputs;
    held.reserve(node.inputs().size());
    for (const Value* input : node.inputs()) {
      const Value* v = cones_.first(input);
      const auto it = v ? computed_.find(v) : computed_.end();
      held.push_back(it != computed_.end() ? it->second : r_.constant(v));
      inputs.push_back(held.back() ? &*held.back() : nullptr);
    }
    ops::ComputeContext context(node, r_.opset(node), inputs);
    try {
      ops::find_op(r_.model(), node)->compute(context);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInternal) throw;
      return false;  // a kernel may refuse a type
    }
    for (std::size_t i = 0; i < node.outputs().size(); ++i) {
      if (!node.output(i)) continue;
      if (!context.outputs()[i]) {
        if (cones_.read_outside({}, node, i).empty()) continue;
        return false;
      }
      computed_[node.output(i)] = std::move(*context.outputs()[i]);
    }
    return true;
  }

  std::int64_t replace(const std::vector<Result>& results) {
    for (const Result& result : results) {
      const auto it = computed_.find(result.value);
      CHECK(it != computed_.end());
      it->second.notes = nullptr;
      r_.replace(result.read, std::move(it->second));
    }
    computed_.clear();
    return static_cast<std::int64_t>(results.size());
  }

  Rewriter& r_;
  const FoldOptions& options_;
  const Cones cones_;
  std::unordered_map<const Value*, Tensor> computed_;
};

/// The value as a constant, when the facts know all of its integers.
std::optional<Tensor> known(const Facts& facts) {
  if (!facts.contents || !(is_integer(facts.dtype) || facts.dtype == DType::kBool)) return std::nullopt;
  const auto shape = facts.shape();
  const auto values = numbers(*facts.contents);
  if (!shape || !values || values->size() != num_elements(*shape)) return std::nullopt;
  if (facts.dtype == DType::kInt64) return Tensor::of(*shape, std::span<const std::int64_t>(*values));
  const std::vector<double> doubles(values->begin(), values->end());
  return Tensor::of(facts.dtype, *shape, std::span<const double>(doubles));
}

}  // namespace

std::int64_t fold_constants(Rewriter& rewriter, const FoldOptions& options) {
  return Fold(rewriter, options).run();
}

bool fold_weight_constants(Model& model, const FoldOptions& options) {
  FoldOptions weights = options;
  weights.keep.insert(weights.keep.end(), {"ConstantOfShape", "Range", "Expand", "Tile"});
  Rewriter rewriter(model, infer_facts(model));
  return fold_constants(rewriter, weights) > 0;
}

std::int64_t fold_known_contents(Rewriter& rewriter) {
  // Only what some node reads that cannot be known itself is worth a constant; the rest dies with its
  // readers.
  const auto is_known_node = [&](const Node& node) {
    return rewriter.may_touch(node) && !node.outputs().empty() && node.bodies().empty() &&
           std::all_of(node.outputs().begin(), node.outputs().end(),
                       [&](const Value* v) { return !v || known(rewriter.facts(*v)); });
  };
  const auto reads_only_constants = [&](const Node& node) {  // fold_constants weighs those
    return std::all_of(node.inputs().begin(), node.inputs().end(),
                       [&](const Value* v) { return !v || rewriter.constant(v); });
  };
  struct Found {
    NodeId node;
    std::size_t output;
    Tensor tensor;
  };
  std::vector<Found> found;
  for (Graph* graph : rewriter.graphs()) {
    for (const Node& node : graph->nodes()) {
      if (reads_only_constants(node) || !is_known_node(node)) continue;
      for (std::size_t i = 0; i < node.outputs().size(); ++i) {
        const Value* v = node.output(i);
        const bool wanted = v && std::any_of(v->uses().begin(), v->uses().end(), [&](const Use& use) {
                              return !use.node || !is_known_node(*use.node);
                            });
        if (wanted) found.push_back({node.id(), i, *known(rewriter.facts(*v))});
      }
    }
  }
  std::int64_t count = 0;
  for (Found& f : found) {
    const Node* node = rewriter.find(f.node);  // it may have died with what was replaced before
    const Value* value = node ? node->output(f.output) : nullptr;
    if (!value || value->uses().empty()) continue;
    rewriter.replace(*value, std::move(f.tensor));
    ++count;
  }
  return count;
}

}  // namespace compressor

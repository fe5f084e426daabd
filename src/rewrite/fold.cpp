// fold: a -> Op -> .. -> b, with every a a constant  ==>  b a constant.
//
// Nodes that only read constants form cones; cones that share nodes or weights form a group, which is folded
// as a whole or not at all, because what it costs (the values that others read) and what it saves (the
// constants that nobody else reads) belong together:   growth = sum bytes(values read outside) - sum
// bytes(constants read only here). A group that starts from little (up to 4 KiB) may grow by max_growth; one
// that reads weights may not: growing means decoding a stored weight or copying a shared one. Where a group
// is too costly its largest result stays computed, and what is left is weighed again.
#include "compressor/rewrite/fold.h"

#include <algorithm>

#include "compressor/base/disjoint_sets.h"

namespace compressor {
namespace {

constexpr std::uint64_t kLittle = 4096;  ///< bytes of constants that are not called weights
constexpr std::uint64_t kJoins = 1024;   ///< a constant above this joins its readers into one group
constexpr std::uint64_t kFew = 64;       ///< elements that are not worth a compressed form

bool is_in(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

class Fold {
 public:
  Fold(Rewriter& rewriter, const FoldOptions& options) : r_(rewriter), options_(options) {}

  std::int64_t run() {
    find_cones();
    form_groups();
    std::int64_t folded = 0;
    for (std::size_t g = 0; g < groups_.size(); ++g) folded += fold_group(groups_[g]);
    return folded;
  }

 private:
  using Group = std::vector<const Node*>;  ///< in topological order

  struct Result {
    const Value* value;
    std::uint64_t bytes;
  };

  void find_cones() {
    for (Graph* graph : r_.graphs()) {
      for (const Node& node : graph->nodes()) {
        if (!is_constant(node)) continue;
        index_[&node] = order_.size();
        order_.push_back(&node);
      }
    }
  }

  bool is_constant(const Node& node) const {
    if (!node.domain().empty() || node.is("Constant") || !r_.may_touch(node)) return false;
    if (is_in(options_.keep, node.op()) || !node.bodies().empty() || node.inputs().empty()) return false;
    if (node.is("Identity") && node.output(0)->is_graph_output()) return false;  // only gives it that name
    const ops::Op* op = ops::find_op(r_.model(), node);
    if (!op || !op->compute || decodes(node)) return false;
    for (const Value* v : node.inputs()) {
      if (v && !(v->producer() && index_.contains(v->producer())) && !r_.constant(v)) return false;
    }
    return std::all_of(node.outputs().begin(), node.outputs().end(),
                       [&](const Value* v) { return !v || bytes_of(*v); });
  }

  /// Stored weights stay stored.
  bool decodes(const Node& node) const {
    if (node.is("DequantizeLinear")) return true;
    const Facts& in = node.input(0) ? r_.facts(*node.input(0)) : none_;
    const auto shape = in.shape();
    if (!shape || num_elements(*shape) <= kFew) return false;
    if (node.is("BitShift") || node.is("BitwiseAnd")) return true;
    if (!node.is("Cast") || in.dtype == DType::kBool) return false;
    const DType to = r_.facts(*node.output(0)).dtype;
    return bits(in.dtype) <= 16 && bits(to) > bits(in.dtype);
  }

  /// nullopt when its size is not known.
  std::optional<std::uint64_t> bytes_of(const Value& value) const {
    if (const auto t = r_.constant(&value)) return t->byte_size();
    const Facts& f = r_.facts(value);
    const auto shape = f.shape();
    if (!shape || !is_known(f.dtype)) return std::nullopt;
    if (f.constant) return f.constant->byte_size();
    if (f.dtype == DType::kString) return std::nullopt;
    return packed_bytes(f.dtype, num_elements(*shape));
  }

  void form_groups() {
    DisjointSets sets(order_.size());
    std::unordered_map<const Value*, std::size_t> reader;
    for (std::size_t i = 0; i < order_.size(); ++i) {
      for (const Value* v : order_[i]->inputs()) {
        if (!v) continue;
        const auto producer = v->producer() ? index_.find(v->producer()) : index_.end();
        if (producer != index_.end()) sets.join(producer->second, i);
        if (producer == index_.end() && bytes_of(*v).value_or(0) > kJoins) {
          const auto [it, added] = reader.emplace(v, i);
          if (!added) sets.join(it->second, i);
        }
      }
    }
    std::unordered_map<std::size_t, std::size_t> group;
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const auto [it, added] = group.emplace(sets.root(i), groups_.size());
      if (added) groups_.emplace_back();
      groups_[it->second].push_back(order_[i]);
    }
  }

  static bool all_read_in(const std::unordered_set<const Node*>& nodes, const Value& value) {
    return std::all_of(value.uses().begin(), value.uses().end(),
                       [&](const Use& use) { return use.node && nodes.contains(use.node); });
  }

  std::vector<Result> results_of(const Group& group, const std::unordered_set<const Node*>& nodes) const {
    std::vector<Result> results;
    for (const Node* node : group) {
      for (const Value* v : node->outputs()) {
        if (v && !all_read_in(nodes, *v)) results.push_back({v, bytes_of(*v).value_or(0)});
      }
    }
    return results;
  }

  bool is_worth(const Group& group, const std::unordered_set<const Node*>& nodes,
                const std::vector<Result>& results) const {
    std::uint64_t made = 0;
    std::uint64_t read = 0;
    std::uint64_t freed = 0;
    for (const Result& r : results) made += r.bytes;
    std::unordered_set<const Value*> seen;
    for (const Node* node : group) {
      for (const Value* v : node->inputs()) {
        if (!v || (v->producer() && nodes.contains(v->producer())) || !seen.insert(v).second) continue;
        const std::uint64_t bytes = bytes_of(*v).value_or(0);
        read += bytes;
        if (all_read_in(nodes, *v)) freed += bytes;
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
      const std::unordered_set<const Node*> nodes(group.begin(), group.end());
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
  static void remove(Group& group, const Node* node) {
    std::unordered_set<const Node*> gone{node};
    std::erase_if(group, [&](const Node* n) {
      const bool reads = std::any_of(n->inputs().begin(), n->inputs().end(), [&](const Value* v) {
        return v && v->producer() && gone.contains(v->producer());
      });
      if (reads) gone.insert(n);
      return gone.contains(n);
    });
  }

  /// Fills computed_ with the results. Returns the node that could not be computed, if any.
  const Node* compute(const Group& group, const std::unordered_set<const Node*>& nodes,
                      const std::vector<Result>& results) {
    computed_.clear();
    std::unordered_map<const Value*, std::size_t> waiting;  // readers still to come
    for (const Result& r : results) ++waiting[r.value];
    for (const Node* node : group) {
      for (const Value* v : node->inputs()) {
        if (v && v->producer() && nodes.contains(v->producer())) ++waiting[v];
      }
    }
    for (const Node* node : group) {
      if (!compute(*node)) return node;
      for (const Value* v : node->inputs()) {
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
    for (const Value* v : node.inputs()) {
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
        if (node.output(i)->uses().empty()) continue;
        return false;
      }
      computed_[node.output(i)] = std::move(*context.outputs()[i]);
    }
    return true;
  }

  std::int64_t replace(const std::vector<Result>& results) {
    for (const Result& result : results) {
      Tensor tensor = std::move(computed_.at(result.value));
      tensor.notes = nullptr;
      r_.replace(*result.value, std::move(tensor));
    }
    computed_.clear();
    return static_cast<std::int64_t>(results.size());
  }

  Rewriter& r_;
  const FoldOptions& options_;
  const Facts none_;
  std::vector<const Node*> order_;
  std::unordered_map<const Node*, std::size_t> index_;
  std::vector<Group> groups_;
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

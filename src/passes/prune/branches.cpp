// branches: granularity layer, removal of whole residual branches.
//
//   x -> f -> Add(x, f(x)) -> y      ==>      x -> y
//
// for a branch f that reads x and constants alone, is read by the Add alone, and keeps the shape of x. The
// least important branches go: importance is the root mean square of the branch's weights, or the mean
// |gamma| of its last batch norm. Huang 2016 (stochastic depth) shows that residual nets bear the loss of
// single branches.
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "compressor/base/random.h"
#include "compressor/ops/facts.h"
#include "passes/prune/criterion.h"
#include "passes/prune/layer_ratios.h"
#include "passes/prune/structured.h"

namespace compressor::prune {
namespace {

struct Branch {
  const Node* add = nullptr;
  const Value* skip = nullptr;  ///< what remains
  std::set<const Node*> nodes;  ///< what goes, the Add not included
  double score = 0;
};

bool is_constant(const Value& v) {
  return v.initializer() || (v.producer() && v.producer()->is("Constant"));
}

/// Nodes between `from` (not included) and `to`; nullopt when one of them reads something else that is not
/// constant, holds a body, or is read outside.
std::optional<std::set<const Node*>> between(const Value& from, const Value& to, const Node& add) {
  std::set<const Node*> nodes;
  std::vector<const Value*> open = {&to};
  bool reached = false;
  while (!open.empty()) {
    const Value& v = *open.back();
    open.pop_back();
    if (&v == &from) {
      reached = true;
      continue;
    }
    const Node* node = v.producer();
    if (!node) {
      if (v.initializer()) continue;
      return std::nullopt;  // a graph input that is not the skip
    }
    if (node->is("Constant") || !nodes.insert(node).second) continue;
    if (!node->bodies().empty() || &node->graph() != &add.graph()) return std::nullopt;
    for (const Value* input : node->inputs()) {
      if (input) open.push_back(input);
    }
  }
  if (!reached || nodes.empty()) return std::nullopt;
  for (const Node* node : nodes) {
    for (const Value* out : node->outputs()) {
      if (!out) continue;
      for (const Use& use : out->uses()) {
        if (use.node != &add && !nodes.contains(use.node)) return std::nullopt;
      }
    }
  }
  return nodes;
}

bool has_weights(const std::set<const Node*>& nodes) {
  return std::any_of(nodes.begin(), nodes.end(), [](const Node* n) {
    return std::any_of(n->inputs().begin(), n->inputs().end(), [](const Value* v) {
      if (!v || !is_constant(*v)) return false;
      const auto t = constant_of(*v);
      return t && is_float(t->dtype) && t->rank() >= 2;
    });
  });
}

bool same_shape(const FactsMap& facts, const Value& a, const Value& b) {
  const Facts& x = facts.of(a);
  const Facts& y = facts.of(b);
  return x.ranked && y.ranked && x.dims == y.dims;
}

class BranchPruning {
 public:
  BranchPruning(Model& model, const Prune& options, PassContext& context)
      : model_(model), options_(options), context_(context) {}

  void run() {
    InferOptions infer;
    for (const auto& [input, dims] : context_.input_shapes) infer.input_shapes[input] = sym_dims(dims);
    const FactsMap facts = infer_facts(model_, infer);
    find(facts);
    if (*options_.explain) return explain();
    const auto eligible = static_cast<std::int64_t>(branches_.size());
    const auto count =
        static_cast<std::int64_t>(std::floor(*options_.ratio.value() * static_cast<double>(eligible) + 1e-9));
    context_.result.eligible = eligible;
    if (eligible == 0)
      throw Error::target(
          "nothing can be cut at granularity layer: no residual branch keeps the shape of its input");
    if (count == 0)
      throw Error::target("nothing is cut: {} of {} residual branches rounds to none",
                          *options_.ratio.value(), eligible);
    std::stable_sort(branches_.begin(), branches_.end(),
                     [](const Branch& a, const Branch& b) { return a.score < b.score; });
    std::set<const Node*> gone;
    for (const Branch& branch : branches_) {
      if (context_.result.done == count) break;
      remove(branch, gone);
    }
    context_.result.changed = context_.result.done > 0;
  }

 private:
  void find(const FactsMap& facts) {
    WeightCache weights;
    for (const Node& node : model_.graph->nodes()) {
      if (!node.is("Add") || !node.input(0) || !node.input(1)) continue;
      for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
        const Value& skip = *node.input(side);
        const Value& end = *node.input(1 - side);
        if (is_constant(skip) || is_constant(end) || !same_shape(facts, skip, end)) continue;
        const auto nodes = between(skip, end, node);
        if (!nodes || !has_weights(*nodes)) continue;
        if (const std::string why = refused(node, skip); !why.empty()) {
          context_.skip(node, why);
          break;
        }
        Branch branch{&node, &skip, *nodes, 0};
        branch.score = score(branch, weights);
        branches_.push_back(std::move(branch));
        break;
      }
    }
  }

  std::string refused(const Node& add, const Value& skip) const {
    if (!context_.filter.matches(add)) return "is not to be touched";
    if (!Graph::can_replace(*add.output(0), skip))
      return "its sum is an output of the graph, which its input cannot stand for";
    return {};
  }

  double score(const Branch& branch, WeightCache& weights) const {
    if (*options_.criterion == "random") {
      Random random(context_.seed + branch.add->id() * 0x9E3779B97F4A7C15ULL);
      return random.uniform();
    }
    double total = 0, count = 0, gamma = 0, gammas = 0;
    for (const Node* node : branch.nodes) {
      for (std::size_t i = 0; i < node->inputs().size(); ++i) {
        const Value* v = node->input(i);
        if (!v || !is_constant(*v)) continue;
        const auto tensor = constant_of(*v);
        if (!tensor || !is_float(tensor->dtype) || tensor->rank() < 1) continue;
        const bool scale = node->is("BatchNormalization") && i == 1;
        if (tensor->rank() < 2 && !scale) continue;
        const AxisNorms& norms = weights.norms(*v, 0);
        for (std::size_t k = 0; k < norms.sum_abs.size(); ++k) {
          (scale ? gamma : total) +=
              *options_.criterion == "l1" || scale ? norms.sum_abs[k] : norms.sum_squares[k];
        }
        (scale ? gammas : count) += static_cast<double>(tensor->size());
      }
    }
    if (*options_.criterion == "bn-scale" && gammas > 0) return gamma / gammas;
    if (count == 0) return 0;
    return *options_.criterion == "l1" ? total / count : std::sqrt(total / count);
  }

  void remove(const Branch& branch, std::set<const Node*>& gone) {
    if (gone.contains(branch.add)) return;  // went with a larger branch
    Graph& graph = *model_.graph;
    // An earlier removal may have put another value in the place of the skip.
    const Value* skip = nullptr;
    for (const Value* input : branch.add->inputs()) {
      if (!input->producer() || !branch.nodes.contains(input->producer())) skip = input;
    }
    if (!skip || !Graph::can_replace(*branch.add->output(0), *skip)) return;
    context_.done(
        *branch.add, "removed",
        fmt::format("residual branch of {} nodes, score {:.4g}", branch.nodes.size(), branch.score));
    graph.replace_uses(*branch.add->output(0), *skip);
    graph.erase(*branch.add);
    gone.insert(branch.add);
    // Readers before makers, until nothing of the branch is left.
    for (bool progress = true; progress;) {
      progress = false;
      for (const Node* node : branch.nodes) {
        if (gone.contains(node)) continue;
        const auto outputs = node->outputs();
        if (!std::all_of(outputs.begin(), outputs.end(),
                         [](const Value* v) { return !v || v->uses().empty(); }))
          continue;
        erase_with_constants(graph, *node);
        gone.insert(node);
        progress = true;
      }
    }
    ++context_.result.done;
  }

  static void erase_with_constants(Graph& graph, const Node& node) {
    const std::vector<const Value*> inputs(node.inputs().begin(), node.inputs().end());
    graph.erase(node);
    std::set<const Value*> seen;
    for (const Value* v : inputs) {
      if (!v || !seen.insert(v).second || !v->uses().empty() || &v->graph() != &graph) continue;
      if (v->initializer())
        graph.erase_initializer(*v);
      else if (v->producer() && v->producer()->is("Constant"))
        graph.erase(*v->producer());
    }
  }

  void explain() {
    for (const Branch& b : branches_) {
      context_.result.explanation.push_back(
          fmt::format("branch of {}: {} nodes between '{}' and the sum, score {:.4g}", b.add->label(),
                      b.nodes.size(), b.skip->name(), b.score));
    }
    for (const LayerRecord& r : context_.result.layers) {
      context_.result.explanation.push_back("branch of " + r.node + ": not cut, " + r.detail);
    }
  }

  Model& model_;
  const Prune& options_;
  PassContext& context_;
  std::vector<Branch> branches_;
};

}  // namespace

void prune_branches(Model& model, const Prune& options, PassContext& context) {
  context.result.unit = "branches";
  BranchPruning(model, options, context).run();
}

}  // namespace compressor::prune

// static_plan: which nodes are computed in integers, and which values get a scale for it.
//
// Products and convolutions with a constant weight (or two activations) start it; operators that join or pass
// values on follow where what they read is quantized already. An activation function behind a convolution
// that nothing else reads belongs to it: the value between the two is never rounded. What follows must lead
// to another product or convolution; the rest stays in float.
#include <algorithm>
#include <unordered_map>

#include "compressor/base/error.h"
#include "compressor/ops/facts.h"
#include "passes/quantize/integer/static_weights.h"

namespace compressor::quantize {
namespace {

bool is_one_of(const Node& node, const std::vector<std::string>& ops) {
  return node.domain().empty() && std::find(ops.begin(), ops.end(), node.op()) != ops.end();
}

/// What has weights too, and of which the report says why they stay.
const std::vector<std::string> kWithoutKernel = {"ConvTranspose", "LSTM", "GRU", "RNN"};

class Planner {
 public:
  Planner(const Model& model, const Ranges* ranges, const StaticOptions& options, PassContext& context)
      : model_(model),
        ranges_(ranges),
        target_(options.target),
        in_float_(options.in_float),
        measured_(options.measured),
        context_(context),
        facts_(infer_facts(model)) {
    if (!ranges) return;
    for (const auto& [name, range] : *ranges) {
      if (has_scale(range.low, range.high, activation_codes(target_))) continue;
      in_float_.emplace(
          name, fmt::format("'{}' holds numbers in [{:.3g}, {:.3g}], for which no float32 is a scale", name,
                            range.low, range.high));
    }
  }

  Plan run() {
    // Nodes that hold bodies come before those inside, which may read what is made outside.
    const std::vector<const Node*> all = model_.node_list();
    for (const Node* node : all) {
      if (is_one_of(*node, target_.compute)) {
        starts(*node);
      } else if (is_one_of(*node, kWithoutKernel) && context_.filter.matches(*node)) {
        ++context_.result.eligible;
        context_.skip(*node, fmt::format("has no integer kernel that target {} knows of", target_.name));
      }
    }
    // Values in front of a computing node are quantized; whatever only reads such values may follow.
    for (const Node* node : all) follow(*node);
    leave_ends(all);
    Plan plan;
    plan.nodes = nodes_;
    for (const Value* v : ordered_) {
      if (!inner_.contains(v) && is_needed(*v)) plan.activations.push_back(v);
    }
    for (const Value* v : telling_) {
      const auto& known = plan.activations;
      if (std::find(known.begin(), known.end(), v) == known.end()) plan.activations.push_back(v);
    }
    return plan;
  }

 private:
  bool is_float(const Value& v) const { return facts_.of(v).dtype == DType::kFloat; }

  bool is_constant(const Value* v) const { return v && fixed_constant(model_, *v).has_value(); }

  bool has_range(const Value& v) const { return !ranges_ || ranges_->contains(v.name()); }

  void want(const Value& v) {
    if (in_float_.contains(v.name())) return;
    if (wanted_.insert(&v).second) ordered_.push_back(&v);
  }

  /// Why a value that the node reads or gives is not to be rounded; "" when it may be.
  std::string noise_of(const Node& node) const {
    const Node* next = fused(node);
    const bool gives = node.is("Conv") || node.is("ConvTranspose");  // products may give floats
    for (const Value* v : {node.input(0), node.input(1), gives ? (next ? *next : node).output(0) : nullptr}) {
      const auto found = v ? in_float_.find(v->name()) : in_float_.end();
      if (found != in_float_.end()) return found->second;
    }
    return "";
  }

  /// Is the node in a body that did not run where ranges were measured? What it gives tells.
  bool never_ran(const Node& node) const {
    return ranges_ && measured_ && node.graph().holder() && !ranges_->contains(node.output(0)->name());
  }

  /// Why a convolution or product stays in float; "" when it does not.
  std::string refusal(const Node& node) const {
    if (!context_.filter.matches(node)) return "is left out by --include or --exclude";
    if (!node.input(0) || !node.input(1) || !node.output(0)) return "lacks an operand";
    if (is_constant(node.input(0))) return "multiplies from the left by a constant";
    if (!is_float(*node.input(0)))
      return fmt::format("works on {}, expected float32", name(facts_.of(*node.input(0)).dtype));
    if (node.is("Gemm") &&
        (node.float_or("alpha", 1) != 1 || node.float_or("beta", 1) != 1 || node.int_or("transA", 0) != 0))
      return "has alpha, beta or transA";
    if (is_constant(node.input(1))) {
      if (std::string why = refusal_of_constants(node); !why.empty()) return why;
      return refusal_of_ranges(node);
    }
    if (!node.is("MatMul")) return fmt::format("has weight '{}', which is computed", node.input(1)->name());
    if (node.input(1)->producer() && node.input(1)->producer()->is("DequantizeLinear"))
      return "is quantized already";
    if (!is_float(*node.input(1)) || !has_range(*node.input(1)))
      return fmt::format("has no range for '{}'", node.input(1)->name());
    return refusal_of_ranges(node);
  }

  std::string refusal_of_ranges(const Node& node) const {
    if (never_ran(node)) return "is in a body that did not run on the calibration data";
    if (!has_range(*node.input(0))) return fmt::format("has no range for '{}'", node.input(0)->name());
    const std::string why = noise_of(node);
    return why.empty() ? "" : "is left in float: " + why;
  }

  std::string refusal_of_constants(const Node& node) const {
    const Tensor w = *fixed_constant(model_, *node.input(1));
    if (!weight_spot(model_, node))
      return fmt::format("has weight '{}' of type {} and shape {}, which is left in float",
                         node.input(1)->name(), name(w.dtype), to_string(w.shape));
    if (const std::string why = why_no_codes(w); !why.empty())
      return fmt::format("has weight '{}', which {}", node.input(1)->name(), why);
    if (node.is("MatMul") || !node.input(2)) return "";
    const auto b = fixed_constant(model_, *node.input(2));
    if (b && is_float(*node.input(2)) && !why_no_codes(*b, true).empty())
      return fmt::format("has bias '{}', which {}", node.input(2)->name(), why_no_codes(*b, true));
    return "";
  }

  void starts(const Node& node) {
    ++context_.result.eligible;
    const std::string why = refusal(node);
    if (!why.empty()) return context_.skip(node, why);
    nodes_.insert(&node);
    if (!ranges_ && node.graph().holder()) telling_.push_back(node.output(0));
    want(*node.input(0));
    if (!is_constant(node.input(1))) want(*node.input(1));
    const Value& y = *node.output(0);
    if (target_.float_logits && y.is_graph_output() && !node.is("Conv")) return;
    if (take_in(node)) return;
    if (has_range(y)) want(y);
  }

  /// Makes the activation function behind the node part of it, if there is one.
  bool take_in(const Node& node) {
    const Node* next = fused(node);
    if (!next) return false;
    inner_.insert(node.output(0));
    nodes_.insert(next);
    if (has_range(*next->output(0))) want(*next->output(0));
    return true;
  }

  /// The activation function that belongs to the node, if one does.
  const Node* fused(const Node& node) const {
    const Value& y = *node.output(0);
    if (y.uses().size() != 1 || !y.uses()[0].node || y.uses()[0].graph != &node.graph()) return nullptr;
    const Node& next = *y.uses()[0].node;
    if (!is_one_of(next, target_.fused) || next.input(0) != &y || !next.output(0)) return nullptr;
    return context_.filter.matches(next) ? &next : nullptr;
  }

  /// The inputs that carry activations; constants and shapes do not.
  std::vector<const Value*> operands(const Node& node) const {
    const bool all = node.is("Add") || node.is("Mul") || node.is("Concat");
    std::vector<const Value*> result;
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      if (node.input(i) && (all || i == 0)) result.push_back(node.input(i));
    }
    return result;
  }

  bool pads_with_zero(const Value& v) const {
    const auto t = fixed_constant(model_, v);
    return t && is_float(v) && t->size() == 1 && to_floats(*t)[0] == 0;
  }

  void follow(const Node& node) {
    if (nodes_.contains(&node) || !node.output(0) || !context_.filter.matches(node)) return;
    const bool passes = is_one_of(node, target_.passing);
    if (!passes && !is_one_of(node, target_.elementwise)) return;
    bool any = false;
    for (const Value* v : operands(node)) {
      if (is_constant(v)) {
        if (!is_float(*v) || node.is("Concat")) return;
        continue;
      }
      if (!wanted_.contains(v) || inner_.contains(v)) return;
      any = true;
    }
    if (!any) return;
    const Node* with = node.is("Add") ? fused(node) : nullptr;  // then its own output needs no range
    for (const Value* y : (with ? *with : node).outputs()) {
      if (y && (!is_float(*y) || !has_range(*y) || in_float_.contains(y->name()))) return;
    }
    if (node.is("Resize") && node.string_or("mode", "nearest") == "cubic") return;  // leaves the range
    if (node.is("Pad") && node.string_or("mode", "constant") == "constant" && node.input(2) &&
        !pads_with_zero(*node.input(2)))
      return;  // only 0 is a code at any scale
    nodes_.insert(&node);
    followers_.insert(&node);
    if (with && take_in(node)) return;
    for (const Value* y : node.outputs()) {
      if (y && !(passes && y->is_graph_output())) want(*y);
    }
  }

  bool has_integer_reader(const Value& v) const {
    return std::any_of(v.uses().begin(), v.uses().end(),
                       [&](const Use& use) { return use.node && nodes_.contains(use.node); });
  }

  /// Operators that follow are worth it only in front of an integer kernel: at the ends of the network, and
  /// where floats go on (a norm made of its parts, heads that are laid side by side), they would only round.
  void leave_ends(const std::vector<const Node*>& order) {
    for (auto it = order.rbegin(); it != order.rend(); ++it) {
      const Node& node = **it;
      if (!followers_.contains(&node)) continue;
      const bool joined = inner_.contains(node.output(0));  // with the activation function behind it
      const Node& last = joined ? *fused(node) : node;
      const auto outputs = last.outputs();
      if (std::any_of(outputs.begin(), outputs.end(),
                      [&](const Value* y) { return y && has_integer_reader(*y); })) {
        continue;
      }
      nodes_.erase(&node);
      if (!joined) continue;
      nodes_.erase(&last);
      inner_.erase(node.output(0));
    }
  }

  /// A scale is for a value that an integer kernel reads or gives; what a product gives to floats stays one.
  bool is_needed(const Value& v) const {
    if (has_integer_reader(v)) return true;
    const Node* maker = v.producer();
    if (!maker || !nodes_.contains(maker)) return false;
    if (followers_.contains(maker)) return true;
    const Node* first =
        maker->input(0) && inner_.contains(maker->input(0)) ? maker->input(0)->producer() : maker;
    return !first->is("MatMul") && !first->is("Gemm");
  }

  const Model& model_;
  const Ranges* ranges_;
  const Target& target_;
  InFloat in_float_;
  bool measured_;
  PassContext& context_;
  FactsMap facts_;
  std::set<const Node*> nodes_;
  std::set<const Node*> followers_;  ///< of these, those that join or pass values on
  std::set<const Value*> wanted_, inner_;
  std::vector<const Value*> ordered_;
  std::vector<const Value*> telling_;  ///< values whose range tells whether a body ran
};

/// Sets of values that share a scale.
class Shared {
 public:
  const Value* root(const Value* v) {
    const auto it = parent_.find(v);
    if (it == parent_.end() || it->second == v) return v;
    return parent_[v] = root(it->second);
  }
  void join(const Value* a, const Value* b) { parent_[root(b)] = root(a); }

 private:
  std::unordered_map<const Value*, const Value*> parent_;
};

bool averages(const Node& node) {
  return node.is("AveragePool") || node.is("GlobalAveragePool");
}

}  // namespace

Plan plan_static(const Model& model, const Ranges& ranges, const StaticOptions& options,
                 PassContext& context) {
  return Planner(model, &ranges, options, context).run();
}

std::vector<std::string> values_to_observe(const Model& model, const StaticOptions& options,
                                           PassContext& context) {
  std::vector<std::string> names;
  for (const Value* v : Planner(model, nullptr, options, context).run().activations)
    names.push_back(v->name());
  return names;
}

std::map<const Value*, Affine> activation_scales(const Model& model, const Plan& plan, const Ranges& ranges,
                                                 const Target& target) {
  const std::set<const Value*> known(plan.activations.begin(), plan.activations.end());
  Shared shared;
  for (const Node* at : model.node_list()) {
    const Node& node = *at;
    if (!plan.nodes.contains(&node)) continue;
    const bool passes =
        is_one_of(node, target.passing) || node.is("Concat") || (target.pools_keep_scale && averages(node));
    if (!passes) continue;
    for (const Value* y : node.outputs()) {
      for (std::size_t i = 0; y && known.contains(y) && i < node.inputs().size(); ++i) {
        const bool carries = i == 0 || node.is("Concat");
        if (carries && node.input(i) && known.contains(node.input(i))) shared.join(y, node.input(i));
      }
    }
  }
  std::map<const Value*, ValueRange> joined;
  for (const Value* v : plan.activations) {
    const auto found = ranges.find(v->name());
    CHECK(found != ranges.end(), "no range for '{}'", v->name());
    auto [it, fresh] = joined.emplace(shared.root(v), found->second);
    if (fresh) continue;
    it->second.low = std::min(it->second.low, found->second.low);
    it->second.high = std::max(it->second.high, found->second.high);
  }
  const CodeRange codes = activation_codes(target);
  std::map<const Value*, Affine> scales;
  for (const Value* v : plan.activations) {
    const ValueRange& r = joined.at(shared.root(v));
    scales[v] =
        target.symmetric_activations ? symmetric_of(r.low, r.high, codes) : affine_of(r.low, r.high, codes);
  }
  return scales;
}

}  // namespace compressor::quantize

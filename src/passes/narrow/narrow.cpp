// narrow: float32 to float16, node by node, with a Cast wherever the two meet.
//
//   x (32) -> Cast -> Conv(W16) -> Relu -> Cast -> TheKept -> Cast -> ..
//
// Which values are float32 is what shape inference says; a value is narrowed where the node that makes it is.
// Constants are converted once, when a narrowed node reads them; both forms stay where both are read.
#include "compressor/passes/narrow.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "compressor/analysis/statistics.h"
#include "compressor/base/error.h"
#include "compressor/ops/facts.h"
#include "compressor/rewrite/upgrade.h"
#include "passes/narrow/float_only.h"
#include "passes/narrow/half.h"

namespace compressor {
namespace {

using narrow::Extent;
using narrow::extent_of;
using narrow::is_float_constant;
using narrow::is_float_input;
using narrow::is_float_output;
using narrow::kLargestHalf;
using narrow::to_half;
using narrow::wants_float;

class Narrowing {
 public:
  Narrowing(Model& model, const NarrowOptions& options, PassContext& context)
      : model_(model),
        graph_(*model.graph),
        options_(options),
        context_(context),
        facts_(infer_facts(model)) {}

  void run() {
    context_.result.unit = "nodes";
    if (context_.batches) measure();
    for (const Node& node : graph_.nodes()) judge(node);
    inputs();
    for (const Node* node : order_) {
      if (narrow_.contains(node)) attributes(*node);
    }
    for (const Node* node : order_) reads(*node);
    outputs();
    for (const Value* v : halves_) declare(*v);
    drop_unread();
    graph_.sort();
    context_.result.changed = !narrow_.empty();
    if (raised_ > 0)
      context_.note(
          fmt::format("{} constants are below the least number of float16 and became that", raised_));
    if (lost_ > 0)
      context_.note(fmt::format("{} numbers of constants are too small for float16 and became 0", lost_));
  }

 private:
  bool is_float(const Value* v) const { return v && facts_.of(*v).dtype == DType::kFloat; }
  bool touches_float(const Node& node) const {
    const auto any = [&](std::span<const Value* const> list) {
      return std::any_of(list.begin(), list.end(), [&](const Value* v) { return is_float(v); });
    };
    return any(node.inputs()) || any(node.outputs());
  }

  /// What the values of the main graph hold on the data.
  void measure() {
    StatisticsRequest request;
    request.bins = 4;  // the extremes are all that is asked for
    for (const Value* v : graph_.values()) {
      if (is_float(v) && !v->initializer()) request.values.push_back(v);
    }
    const Samples samples = [&](const std::function<void(const Executor::Feeds&)>& visit) {
      context_.batches(
          [&](const PassContext::Inputs& inputs) { visit(Executor::Feeds(inputs.begin(), inputs.end())); });
    };
    const Statistics seen = collect_statistics(model_, request, samples);
    for (const auto& [value, s] : seen.values) {
      if (s.all.count > 0) reach_[value] = std::max(std::abs(s.all.min), std::abs(s.all.max));
    }
    context_.note(fmt::format("{} values measured on {} batches", reach_.size(), seen.batches));
  }

  /// Why values on the data keep the node in float32; "" when they do not.
  std::string overflow(const Node& node) const {
    const auto past = [&](const Value* v) {
      const auto found = reach_.find(v);
      return found != reach_.end() && found->second > kLargestHalf;
    };
    for (const Value* v : node.inputs()) {
      if (past(v)) return fmt::format("reads '{}', which reaches {:g} on the data", v->name(), reach_.at(v));
    }
    for (const Value* v : node.outputs()) {
      if (past(v)) return fmt::format("gives '{}', which reaches {:g} on the data", v->name(), reach_.at(v));
    }
    return "";
  }

  const Extent& extent(const Value& v, const Tensor& t) {
    const auto [it, fresh] = extents_.try_emplace(&v);
    if (fresh) it->second = extent_of(t);
    return it->second;
  }

  std::string refusal(const Node& node) {
    if (!context_.filter.matches(node)) return "is left out by --include or --exclude";
    if (!node.domain().empty()) return fmt::format("is of domain {}, and stays in float32", node.domain());
    if (!node.bodies().empty()) return "has bodies, which stay in float32";
    if (wants_float(node)) return "is an operator that stays in float32";
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      const Value* v = node.input(i);
      if (v && facts_.of(*v).dtype == DType::kUndefined)
        return fmt::format("reads '{}', whose type is not known", v->name());
      if (!v || is_float_input(node, i) || !is_float(v)) continue;
      const auto t = v->producer() ? std::nullopt : constant_of(*v);
      if (!t) continue;
      const Extent& e = extent(*v, *t);
      if (e.finite && e.largest > kLargestHalf)
        return fmt::format("reads '{}', which holds {:g}, past the {} of float16", v->name(), e.largest,
                           kLargestHalf);
    }
    return overflow(node);
  }

  void judge(const Node& node) {
    order_.push_back(&node);
    if (!touches_float(node) || is_float_constant(node)) return;
    ++context_.result.eligible;
    if (const std::string why = refusal(node); !why.empty()) return context_.skip(node, why);
    narrow_.insert(&node);
    ++context_.result.done;
    for (std::size_t i = 0; i < node.outputs().size(); ++i) {
      const Value* v = node.output(i);
      if (is_float(v) && !makes_float(node) && !is_float_output(node, i)) halves_.insert(v);
    }
  }

  /// A Cast to something else than float32 makes what it did.
  static bool makes_float(const Node& node) {
    return node.is("Cast") && node.int_or("to", 0) != static_cast<std::int64_t>(DType::kFloat);
  }

  void inputs() {
    if (options_.keep_io_types) return;
    for (const Value* v : graph_.inputs()) {
      if (is_float(v) && !v->initializer()) halves_.insert(v);
    }
  }

  /// What nodes say of the type that they make.
  void attributes(const Node& node) {
    if (node.is("Cast") && node.int_or("to", 0) == static_cast<std::int64_t>(DType::kFloat))
      graph_.set_attribute(node, {"to", static_cast<std::int64_t>(DType::kFloat16)});
    if (!node.is("Constant") && !node.is("ConstantOfShape")) return;
    if (!is_float(node.output(0))) return;
    const auto t = node.is("Constant") ? constant_of(*node.output(0)) : std::optional<Tensor>();
    const Tensor zero = Tensor::of({1}, std::span<const float>(std::vector<float>{0}));
    const Tensor value = t ? *t : node.tensor("value") ? *node.tensor("value") : zero;
    const Extent e = extent_of(value);
    tell(e);
    for (const char* name : {"value_float", "value_floats"}) graph_.erase_attribute(node, name);
    graph_.set_attribute(node, {"value", to_half(value)});
  }

  void tell(const Extent& e) {
    lost_ += e.lost;
    raised_ += e.raised ? 1 : 0;
  }

  const Value* cast(const Value& v, DType to) {
    const Value*& known = casts_[{&v, to}];
    if (known) return known;
    NodeSpec spec{.op = "Cast", .inputs = {&v}};
    spec.name = v.name() + (to == DType::kFloat ? ".float" : ".half");
    spec.outputs = {graph_.fresh_name(spec.name)};
    spec.attributes.emplace_back("to", static_cast<std::int64_t>(to));
    return known = graph_.add_node(std::move(spec)).output(0);
  }

  const Value* half_of(const Value& v) {
    if (!v.initializer()) return cast(v, DType::kFloat16);
    const Value*& known = casts_[{&v, DType::kFloat16}];
    if (known) return known;
    tell(extent(v, *v.initializer()));
    return known = graph_.add_initializer(graph_.fresh_name(v.name() + ".half"), to_half(*v.initializer()));
  }

  void reads(const Node& node) {
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      const Value* v = node.input(i);
      if (!is_float(v)) continue;
      const bool wants_half = narrow_.contains(&node) && !is_float_input(node, i);
      if (wants_half && !halves_.contains(v)) graph_.set_input(node, i, half_of(*v));
      if (!wants_half && halves_.contains(v)) graph_.set_input(node, i, cast(*v, DType::kFloat));
    }
    for (Graph* body : graph_.bodies(node)) captures(*body);
  }

  /// Bodies stay as they are and read float32.
  void captures(Graph& body) {
    for (const Node* node : body.node_list()) {
      for (std::size_t i = 0; i < node->inputs().size(); ++i) {
        const Value* v = node->input(i);
        if (v && halves_.contains(v)) body.set_input(*node, i, cast(*v, DType::kFloat));
      }
      for (Graph* inner : body.bodies(*node)) captures(*inner);
    }
    for (std::size_t i = 0; i < body.outputs().size(); ++i) {
      const Value* v = body.outputs()[i];
      if (halves_.contains(v)) body.set_output(i, *cast(*v, DType::kFloat));
    }
  }

  /// The interface keeps its names.
  void outputs() {
    const std::vector<const Value*> list(graph_.outputs().begin(), graph_.outputs().end());
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Value& y = *list[i];
      if (!is_float(&y) || halves_.contains(&y) != options_.keep_io_types) continue;
      if (y.is_input() || y.initializer()) continue;  // passed through as it is
      const Type declared = y.type();
      const std::string name = y.name();
      const Value& other = *cast(y, options_.keep_io_types ? DType::kFloat : DType::kFloat16);
      graph_.set_output(i, other);
      graph_.rename(y, graph_.fresh_name(name + ".inner"));
      graph_.rename(other, name);
      Type type = declared;
      type.dtype = options_.keep_io_types ? DType::kFloat : DType::kFloat16;
      graph_.set_type(other, std::move(type));
    }
  }

  void declare(const Value& v) {
    Type type = v.type();
    if (type.kind != Type::Kind::kTensor) return;
    type.dtype = DType::kFloat16;
    graph_.set_type(v, std::move(type));
  }

  void drop_unread() {
    std::int64_t dropped = 0;
    const std::vector<const Value*> list(graph_.initializers().begin(), graph_.initializers().end());
    for (const Value* v : list) {
      if (!v->uses().empty() || !casts_.contains({v, DType::kFloat16})) continue;
      if (v->is_input()) {
        graph_.erase_input(*v);
        ++dropped;
      }
      graph_.erase_initializer(*v);
    }
    note_closed(dropped, context_);
  }

  Model& model_;
  Graph& graph_;
  const NarrowOptions& options_;
  PassContext& context_;
  FactsMap facts_;
  std::vector<const Node*> order_;
  std::set<const Node*> narrow_;
  std::set<const Value*> halves_;  ///< values that were float32 and are float16 now
  std::map<std::pair<const Value*, DType>, const Value*> casts_;
  std::map<const Value*, Extent> extents_;
  std::map<const Value*, float> reach_;  ///< largest magnitude on the data
  std::uint64_t lost_ = 0;
  std::int64_t raised_ = 0;
};

}  // namespace

void narrow_to_half(Model& model, const NarrowOptions& options, PassContext& context) {
  constexpr std::int64_t kOpset = 13;  // from here on every operator that we narrow takes float16
  if (model.opset() < kOpset && why_not_upgrade(model, kOpset).empty()) {
    context.note(fmt::format("opset raised from {} to {}", model.opset(), kOpset));
    upgrade(model, kOpset);
  }
  raise_ir(model, 4);
  Narrowing(model, options, context).run();
}

}  // namespace compressor

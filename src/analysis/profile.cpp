// profile: walks the nodes in order, bodies included, with costs from the operator table.
#include "compressor/analysis/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "analysis/integer_units.h"
#include "compressor/analysis/weights.h"
#include "compressor/ops/op.h"

namespace compressor {
namespace {

class Profiler {
 public:
  Profiler(const Model& model, const FactsMap& facts) : model_(model), facts_(facts) {}

  Profile run() {
    place_weights();
    const Part main = walk(*model_.graph, "", 1);
    for (const LayerProfile& layer : result_.layers) {
      result_.totals.macs += layer.macs * layer.times;
      result_.totals.flops += layer.flops * layer.times;
      if (layer.times > 0) result_.totals.activation_bytes += layer.activation_bytes;
    }
    result_.totals.peak_activation_bytes = main.peak;
    for (const std::string& symbol : symbols_) {
      if (!symbol.starts_with('~')) result_.symbols.push_back(symbol);
    }
    if (!result_.symbols.empty()) result_.shape_hint = shape_hint();
    say();
    return std::move(result_);
  }

 private:
  struct Part {  // of a graph and all below it
    double macs = 0, flops = 0;
    std::uint64_t peak = 0;
  };

  void place_weights() {
    for (const Weight& w : weights(model_)) {
      if (w.parameter) result_.totals.params += w.elements;
      result_.totals.weight_bytes += w.bytes;
      constants_.insert(w.value);
      if (!w.reader) continue;
      if (w.parameter) params_[w.reader] += w.elements;
      weight_bytes_[w.reader] += w.bytes;
    }
  }

  bool is_constant(const Value& v) const {
    return constants_.contains(&v) || facts_.of(v).constant != nullptr;
  }

  // What is computed from constants alone is a constant.
  void spread_constants(const Node& node) {
    if (!node.bodies().empty() || node.inputs().empty() || node.op().starts_with("Random")) return;
    const bool all = std::all_of(node.inputs().begin(), node.inputs().end(),
                                 [&](const Value* v) { return !v || is_constant(*v); });
    if (!all) return;
    for (const Value* v : node.outputs()) constants_.insert(v);
  }

  // Bytes of a value that is computed at run time; 0 for constants, inside integer kernels, and for what is
  // not known.
  std::uint64_t bytes_of(const Value& v) {
    const Facts& f = facts_.of(v);
    if (is_constant(v) || f.kind != Type::Kind::kTensor || inside_integer_unit(v)) return 0;
    if (!f.ranked) return unknown_size(v);
    double count = 1;
    for (const SymDim& d : f.dims) {
      const auto n = d.with_symbols_one();
      if (!n) return unknown_size(v);
      for (const std::string& s : d.symbols()) symbols_.insert(s);
      count *= static_cast<double>(*n);
    }
    return count > 9e18 ? unknown_size(v) : packed_bytes(f.dtype, static_cast<std::uint64_t>(count));
  }
  std::uint64_t unknown_size(const Value& v) {
    unknown_sizes_.insert(&v);
    return 0;
  }

  std::string shape_of(const Value& v) const {
    const Facts& f = facts_.of(v);
    return f.ranked ? to_string(f.dims) : "?";
  }

  void cost(const Node& node, LayerProfile& layer) {
    const bool folded = std::all_of(node.outputs().begin(), node.outputs().end(),
                                    [&](const Value* v) { return !v || is_constant(*v); });
    if (folded) return;
    const ops::Op* op = ops::find_op(model_, node);
    if (!op) {
      layer.counted = false;
      ++(model_.find_function(node) ? function_calls_ : unknown_ops_)[node.op()];
      return;
    }
    if (!op->cost) return;
    const auto list = [&](auto values) {
      std::vector<const Facts*> out;
      for (const Value* v : values) out.push_back(v ? &facts_.of(*v) : nullptr);
      return out;
    };
    const ops::CostContext context(node, ops::opset_of(model_, node), list(node.inputs()),
                                   list(node.outputs()));
    const ops::Cost c = op->cost(context);
    layer.counted = context.ok();
    if (!context.ok()) return uncounted_.push_back(layer.name);
    layer.macs = c.macs;
    layer.flops = c.flops;
  }

  LayerProfile describe(const Node& node, const std::string& prefix, double times) {
    LayerProfile layer;
    layer.id = node.id();
    layer.name = prefix + node.label();
    layer.node = node.label();
    layer.op = node.domain().empty() ? node.op() : node.domain() + "." + node.op();
    layer.times = times;
    for (const Value* v : node.inputs()) {
      if (!v || is_constant(*v)) continue;
      layer.in = shape_of(*v);
      break;
    }
    for (const Value* v : node.outputs()) {
      if (!v) continue;
      if (layer.out.empty()) layer.out = shape_of(*v);
      layer.activation_bytes += bytes_of(*v);
    }
    layer.params = params_[&node];
    layer.weight_bytes = weight_bytes_[&node];
    cost(node, layer);
    return layer;
  }

  // How often the body of a Loop or Scan runs.
  double trips(const Node& node) {
    if (node.is("Loop") && node.input(0)) {
      const Facts& f = facts_.of(*node.input(0));
      if (f.contents && f.contents->size() == 1) {
        if (const auto n = f.contents->front().maybe_number())
          return static_cast<double>(std::max<std::int64_t>(*n, 0));
      }
    }
    if (node.is("Scan")) {
      const auto scanned = static_cast<std::size_t>(node.int_or("num_scan_inputs", 0));
      if (scanned > 0 && scanned <= node.inputs().size()) {
        const Value* v = node.input(node.inputs().size() - scanned);
        const std::size_t axis = ops::opset_of(model_, node) < 9 ? 1 : 0;
        if (v && facts_.of(*v).ranked && facts_.of(*v).dims.size() > axis) {
          if (const auto n = facts_.of(*v).dims[axis].maybe_number()) return static_cast<double>(*n);
        }
      }
    }
    ++unknown_trips_;
    return 1;
  }

  Part walk_bodies(const Node& node, const std::string& label, double times) {
    Part best;
    const double each = node.is("If") || node.bodies().empty() ? 1 : trips(node);
    std::size_t best_first = 0, best_last = 0;
    for (const Attribute& attribute : node.attributes()) {
      const auto* held = attribute.get<Attribute::Body>();
      if (!held) continue;
      const Graph* body = held->get();
      const std::size_t first = result_.layers.size();
      const Part part = walk(*body, label + "/" + attribute.name + "/", times * each);
      const bool larger = std::pair(part.macs, part.flops) > std::pair(best.macs, best.flops);
      const bool other_is_kept = best_last > best_first && node.is("If") && !larger;
      if (node.is("If")) {
        const auto [from, to] =
            other_is_kept ? std::pair(first, result_.layers.size()) : std::pair(best_first, best_last);
        for (std::size_t i = from; i < to; ++i) result_.layers[i].times = 0;
      }
      best.peak = std::max(best.peak, part.peak);
      if (other_is_kept) continue;
      best.macs = part.macs * each;
      best.flops = part.flops * each;
      best_first = first;
      best_last = result_.layers.size();
    }
    return best;
  }

  // The last node of `graph` that reads the value; bodies count for the node that holds them.
  static const Node* last_reader(const Value& v, const Graph& graph,
                                 const std::unordered_map<const Node*, std::size_t>& order, bool& escapes) {
    const Node* last = nullptr;
    for (const Use& use : v.uses()) {
      const Graph* at = use.graph;
      const Node* node = use.node;
      if (!node && at == &graph) {
        escapes = true;
        continue;
      }
      while (at && at != &graph) {
        node = at->holder();
        at = at->parent();
      }
      const auto found = order.find(node);
      if (found == order.end()) continue;
      if (!last || order.at(last) < found->second) last = node;
    }
    return last;
  }

  Part walk(const Graph& graph, const std::string& prefix, double times) {
    Part part;
    std::unordered_map<const Node*, std::size_t> order;
    for (const Node& node : graph.nodes()) order.emplace(&node, order.size());
    std::unordered_map<const Node*, std::uint64_t> freed_after;
    std::uint64_t live = 0;
    const auto enter = [&](const Value& v, const Node* producer) {
      const std::uint64_t bytes = bytes_of(v);
      bool escapes = false;
      const Node* last = last_reader(v, graph, order, escapes);
      live += bytes;
      if (escapes) return;
      if (last || producer) freed_after[last ? last : producer] += bytes;
    };
    for (const Value* v : graph.inputs()) {
      if (!v->initializer()) enter(*v, nullptr);
    }
    part.peak = live;
    for (const Node& node : graph.nodes()) {
      if (node.is("Constant")) continue;
      spread_constants(node);
      const std::size_t row = result_.layers.size();
      result_.layers.push_back(describe(node, prefix, times));
      part.macs += result_.layers[row].macs;
      part.flops += result_.layers[row].flops;
      for (const Value* v : node.outputs()) {
        if (v) enter(*v, &node);
      }
      std::uint64_t inner = 0;
      if (!node.bodies().empty()) {
        const std::string label = result_.layers[row].name;
        const Part body = walk_bodies(node, label, times);
        part.macs += body.macs;
        part.flops += body.flops;
        inner = body.peak;
      }
      part.peak = std::max(part.peak, live + inner);
      live -= freed_after[&node];
    }
    return part;
  }

  // The first input that leaves a dimension open, with 1 for what is open.
  std::string shape_hint() const {
    for (const Value* v : model_.graph->inputs()) {
      const Facts& f = facts_.of(*v);
      if (v->initializer() || !f.ranked || f.is_static()) continue;
      Dims dims;
      for (const SymDim& d : f.dims) dims.push_back(d.maybe_number().value_or(1));
      return v->name() + ":" + to_string(dims);
    }
    return "";
  }

  void say() {
    const auto counts = [](const std::map<std::string, int>& map) {
      std::string text;
      for (const auto& [op, n] : map) text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", op, n);
      return text;
    };
    if (!unknown_ops_.empty()) {
      result_.notes.push_back("operators that are not known are not counted: " + counts(unknown_ops_));
    }
    if (!function_calls_.empty()) {
      result_.notes.push_back("calls of model-local functions are not counted (simplify inlines them): " +
                              counts(function_calls_));
    }
    if (!uncounted_.empty()) {
      result_.notes.push_back(
          fmt::format("{} layer{} not counted, because a shape is not known; the first is '{}'",
                      uncounted_.size(), uncounted_.size() == 1 ? " is" : "s are", uncounted_.front()));
    }
    if (!unknown_sizes_.empty()) {
      result_.notes.push_back(fmt::format("{} value{} of unknown shape: not counted as activation memory",
                                          unknown_sizes_.size(),
                                          unknown_sizes_.size() == 1 ? " is" : "s are"));
    }
    if (const std::size_t n = symbols_.size() - result_.symbols.size(); n > 0) {
      result_.notes.push_back(fmt::format("{} dimension{} of intermediate values cannot be told: taken as 1",
                                          n, n == 1 ? "" : "s"));
    }
    if (unknown_trips_ > 0) {
      result_.notes.push_back(fmt::format("{} loop{} of unknown trip count: counted as one trip",
                                          unknown_trips_, unknown_trips_ == 1 ? " is" : "s are"));
    }
  }

  const Model& model_;
  const FactsMap& facts_;
  Profile result_;
  std::set<const Value*> constants_;
  std::unordered_map<const Node*, std::uint64_t> params_, weight_bytes_;
  std::set<std::string> symbols_;
  std::set<const Value*> unknown_sizes_;
  std::map<std::string, int> unknown_ops_, function_calls_;
  std::vector<std::string> uncounted_;
  int unknown_trips_ = 0;
};

}  // namespace

Profile profile(const Model& model, const FactsMap& facts) {
  return Profiler(model, facts).run();
}

Profile profile(const Model& model, const InferOptions& options) {
  return profile(model, infer_facts(model, options));
}

std::vector<LayerProfile> by_op(const Profile& profile) {
  std::map<std::string, LayerProfile> ops;
  std::map<std::string, int> counts;
  for (const LayerProfile& layer : profile.layers) {
    LayerProfile& sum = ops[layer.op];
    sum.op = layer.op;
    sum.params += layer.params;
    sum.weight_bytes += layer.weight_bytes;
    sum.macs += layer.macs * layer.times;
    sum.flops += layer.flops * layer.times;
    sum.activation_bytes += layer.times > 0 ? layer.activation_bytes : 0;
    sum.counted = sum.counted && layer.counted;
    ++counts[layer.op];
  }
  std::vector<LayerProfile> list;
  for (auto& [op, sum] : ops) {
    sum.name = std::to_string(counts[op]);
    list.push_back(sum);
  }
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.macs > b.macs; });
  return list;
}

}  // namespace compressor

// static_qdq: puts QuantizeLinear and DequantizeLinear around what is computed in integers.
//
//   x -> Conv(W, b) -> Relu -> y   ==>   x -> Q(s_x) -> DQ(s_x) -> Conv(DQ(W'), DQ(b')) -> Relu -> Q(s_y) ->
//   DQ(s_y) -> y
//
// One pair stands behind every value that has a scale; all its readers read what comes out of it. Runtimes
// fuse DQ -> operator -> Q into an integer kernel, inside one graph only: a body that reads a value from
// outside reads its codes, and has a DQ of its own.
#include "passes/quantize/integer/static_qdq.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "compressor/base/error.h"
#include "compressor/rewrite/fold.h"
#include "compressor/rewrite/rewriter.h"
#include "compressor/rewrite/upgrade.h"
#include "passes/quantize/integer/product_bias.h"
#include "passes/quantize/integer/static_weights.h"
#include "passes/quantize/layer_options.h"
#include "passes/quantize/records.h"
#include "passes/simplify/rewrites.h"

namespace compressor::quantize {
namespace {

constexpr std::int64_t kOpset = 13;          ///< scales by channel
constexpr std::int64_t kOpsetOf16Bits = 21;  ///< codes of 16 bits

void raise_opset(Model& model, std::int64_t opset, PassContext& context) {
  if (model.opset() >= opset) return;
  if (const std::string why = why_not_upgrade(model, opset); !why.empty())
    throw Error::model("static quantization needs opset {}: {}", opset, why);
  context.note(fmt::format("opset raised from {} to {}", model.opset(), opset));
  upgrade(model, opset);
}

class Inserter {
 public:
  Inserter(Model& model, const StaticOptions& options, PassContext& context)
      : model_(model), options_(options), context_(context), weights_(model) {}

  void run(const Plan& plan, const std::map<const Value*, Affine>& scales) {
    constants(plan);
    for (const Node* node : in_order(plan)) {
      const auto spot = spot_of(*node);
      if (!spot && node->is("MatMul")) context_.done(*node, "quantized", "both operands are activations");
      if (!spot) continue;
      const auto mean = options_.means.find(node->input(0)->name());
      const std::string text =
          weights_.quantize(*node, *spot, scales.at(node->input(0)),
                            mean == options_.means.end() ? std::span<const float>() : std::span(mean->second),
                            with_clip(options_, context_.layers, *node));
      context_.done(*node, "quantized", text);
    }
    for (const Value* v : plan.activations) wrap(*v, scales.at(v));
    model_.graph->sort();
  }

 private:
  std::vector<const Node*> in_order(const Plan& plan) const {
    std::vector<const Node*> nodes;
    for (const Node* node : model_.node_list()) {
      if (plan.nodes.contains(node)) nodes.push_back(node);
    }
    return nodes;
  }

  std::optional<WeightSpot> spot_of(const Node& node) const {
    const auto& ops = options_.target.compute;
    if (std::find(ops.begin(), ops.end(), node.op()) == ops.end()) return std::nullopt;
    return weight_spot(model_, node);
  }

  /// Scale and zero point, shared by all that have the same.
  std::pair<const Value*, const Value*> parameters(const Affine& a) {
    auto& known = parameters_[{a.scale, a.zero}];
    if (known.first) return known;
    Graph& graph = *model_.graph;  // where every body sees them
    const auto zero = static_cast<double>(a.zero);
    known = {graph.add_initializer(graph.fresh_name("scale"), Tensor::scalar(a.scale)),
             graph.add_initializer(graph.fresh_name("zero"), Tensor::of(options_.target.activation, {},
                                                                        std::span<const double>(&zero, 1)))};
    return known;
  }

  const Node& add(Graph& graph, const std::string& op, const Value* from, const Affine& a,
                  const std::string& name) {
    const auto [scale, zero] = parameters(a);
    const std::string unused = graph.fresh_name(name);  // what several nodes read may be stored for each
    NodeSpec spec{.op = op, .inputs = {from, scale, zero}, .outputs = {unused}};
    spec.name = unused;
    return graph.add_node(std::move(spec));
  }

  void wrap(const Value& v, const Affine& a) {
    const std::string stem = v.name();
    Graph& home = model_.changeable(v.graph());
    const Node& q = add(home, "QuantizeLinear", nullptr, a, stem + ".quantize");
    const std::vector<Use> uses(v.uses().begin(), v.uses().end());
    std::map<const Graph*, const Value*> decoded;
    for (const Use& use : uses) {
      if (use.graph == &v.graph()) continue;
      Graph& body = model_.changeable(*use.graph);
      const Value*& dq = decoded[use.graph];
      if (!dq) dq = add(body, "DequantizeLinear", q.output(0), a, stem + ".dequantize").output(0);
      use.node ? body.set_input(*use.node, use.index, dq) : body.set_output(use.index, *dq);
    }
    if (decoded.empty() || !v.uses().empty()) {
      const Node& dq = add(home, "DequantizeLinear", q.output(0), a, stem + ".dequantize");
      read_instead(home, v, *dq.output(0));
    }
    home.set_input(q, 0, &v);
  }

  /// An input that is an output too is given back as it is.
  static void read_instead(Graph& graph, const Value& from, const Value& to) {
    if (Graph::can_replace(from, to)) return graph.replace_uses(from, to);
    const std::vector<Use> uses(from.uses().begin(), from.uses().end());
    for (const Use& use : uses) {
      if (use.node) graph.set_input(*use.node, use.index, &to);
    }
  }

  /// Constants that are added or multiplied, each with a scale of its own.
  void constants(const Plan& plan) {
    for (const Node* node : in_order(plan)) {
      if (!node->is("Add") && !node->is("Mul")) continue;
      for (std::size_t i = 0; i < node->inputs().size(); ++i) {
        const auto t = fixed_constant(model_, *node->input(i));
        if (!t) continue;
        const std::vector<float> values = to_floats(*t);
        const auto [low, high] = std::minmax_element(values.begin(), values.end());
        const CodeRange codes = activation_codes(options_.target);
        const Affine a = options_.target.symmetric_activations ? symmetric_of(*low, *high, codes)
                                                               : affine_of(*low, *high, codes);
        std::vector<double> q;
        for (const float v : values) {
          q.push_back(
              std::clamp(std::nearbyint(static_cast<double>(v) / static_cast<double>(a.scale)) + a.zero,
                         static_cast<double>(codes.low), static_cast<double>(codes.high)));
        }
        const std::string stem = node->input(i)->name();
        Graph& graph = model_.changeable(node->graph());
        const Value* stored = graph.add_initializer(
            graph.fresh_name(stem + ".q"),
            Tensor::of(options_.target.activation, t->shape, std::span<const double>(q)));
        const Node& dq = add(graph, "DequantizeLinear", stored, a, stem + ".dequantize");
        const Value& was = *node->input(i);
        graph.set_input(*node, i, dq.output(0));
        drop_if_unread(model_, was);
      }
    }
  }

  Model& model_;
  const StaticOptions& options_;
  PassContext& context_;
  WeightQuantizer weights_;
  std::map<std::pair<float, std::int32_t>, std::pair<const Value*, const Value*>> parameters_;
};

/// Gives values in bodies whose names others have too names of their own.
std::map<std::string, std::string> name_apart(Model& model) {
  std::map<std::string, std::string> renamed;
  std::set<std::string> taken;
  model.each_graph([&](Graph& graph) {
    for (const Value* v : graph.values()) {
      if (taken.insert(v->name()).second) continue;
      const std::string name = v->name();
      graph.rename(*v, graph.fresh_name(name));
      taken.insert(v->name());
      renamed[v->name()] = name;
    }
  });
  return renamed;
}

}  // namespace

Ranges read_ranges(const std::string& path) {
  Ranges ranges;
  YAML::Node file;
  try {
    file = YAML::LoadFile(path);
  } catch (const YAML::BadFile&) {
    throw Error::io("{}: cannot be read", path);
  } catch (const YAML::Exception& e) {
    throw Error::usage("{}: {}", path, e.what());
  }
  if (!file.IsMap()) throw Error::usage("{}: expected a map of names to [low, high]", path);
  for (const auto& entry : file) {
    const auto value = entry.first.as<std::string>();
    try {
      const auto range = entry.second.as<std::vector<float>>();
      const bool sound =
          range.size() == 2 && std::isfinite(range[0]) && std::isfinite(range[1]) && range[0] <= range[1];
      if (!sound) throw Error::usage("{}: '{}': expected [low, high], two finite numbers", path, value);
      ranges[value] = {range[0], range[1]};
    } catch (const YAML::Exception&) {
      throw Error::usage("{}: '{}': expected [low, high], two finite numbers", path, value);
    }
  }
  return ranges;
}

void check_names(const Model& model, const Ranges& ranges, const std::string& path, PassContext& context) {
  std::set<std::string, std::less<>> names;
  model.each_graph([&](const Graph& graph) {
    for (const Value* v : graph.values()) names.insert(v->name());
  });
  std::vector<std::string> unknown;
  for (const auto& [name, range] : ranges) {
    if (!names.contains(name)) unknown.push_back(name);
  }
  if (unknown.empty() && !ranges.empty()) return;
  if (ranges.empty()) throw Error::usage("{}: holds no ranges", path);
  const std::string what = fmt::format("'{}' is no value of the model", unknown[0]);
  if (unknown.size() == ranges.size()) throw Error::usage("{}: {}, nor is any other name there", path, what);
  context.warn(fmt::format("{}: {}{}", path, what,
                           unknown.size() > 1 ? fmt::format(", and {} more", unknown.size() - 1) : ""));
}

std::map<std::string, std::string> prepare_static(Model& model, PassContext& context) {
  std::map<std::string, std::string> renamed = name_apart(model);
  if (!renamed.empty()) {
    context.note(fmt::format("{} values in bodies got names of their own: others had theirs, as '{}'",
                             renamed.size(), renamed.begin()->second));
  }
  note_closed(close_weights(model), context);
  raise_opset(model, kOpset, context);
  raise_ir(model, 4);
  fold_weight_constants(model);
  // Results of folded norms keep their names, under which their ranges were measured.
  std::vector<std::tuple<NodeId, const Value*, std::string>> norms;
  for (const Node* node : model.node_list()) {
    if (!node->is("BatchNormalization") || !node->input(0) || !node->output(0)) continue;
    if (!node->output(0)->is_graph_output() && &node->input(0)->graph() == &node->graph())
      norms.emplace_back(node->id(), node->input(0), node->output(0)->name());
  }
  Rewriter rewriter(model, infer_facts(model));
  const std::vector<Rewrite> rewrites = {simplify::fold_batchnorm()};
  const std::int64_t folded = rewriter.run(rewrites)[0];
  for (const auto& [id, value, name] : norms) {
    if (rewriter.find(id)) continue;
    Graph& graph = model.changeable(value->graph());
    if (!graph.find(name)) graph.rename(*value, name);
  }
  rewriter.remove_dead();
  if (folded > 0) context.note(fmt::format("{} BatchNormalization nodes were folded", folded));
  if (const std::int64_t made = place_product_biases(model); made > 0)
    context.note(fmt::format("{} MatMul and Add became Gemm", made));
  return renamed;
}

void quantize_static(Model& model, const Ranges& ranges, const StaticOptions& options, PassContext& context) {
  if (bits(options.target.activation) > 8) raise_opset(model, kOpsetOf16Bits, context);
  context.result.unit = "nodes";
  const Plan plan = plan_static(model, ranges, options, context);
  if (plan.activations.empty()) {
    const auto& layers = context.result.layers;
    throw Error::target("nothing can be quantized{}",
                        layers.empty() ? std::string(": the model has no convolution or product")
                                       : fmt::format(": '{}' {}", layers[0].node, layers[0].detail));
  }
  const auto scales = activation_scales(model, plan, ranges, options.target);
  std::map<std::string, Affine> scale_of;
  for (const auto& [value, scale] : scales) scale_of[value->name()] = scale;
  const Model before = model.clone();
  Inserter(model, options, context).run(plan, scales);
  record_grids(before, model, scale_of, ranges, options, context.result);
  context.result.changed = true;
  for (const LayerRecord& layer : context.result.layers) context.result.done += layer.action == "quantized";
  context.note(fmt::format("target {}: exact on {}", options.target.name, options.target.exact_on));
  context.note(fmt::format("{} values have a scale", plan.activations.size()));
}

}  // namespace compressor::quantize

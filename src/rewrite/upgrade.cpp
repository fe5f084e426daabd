// upgrade: the operators of ai.onnx that changed what they mean, or where a setting stands, between opset 7
// and
// 21. Every other change in between only allowed more types or settings.
//
//   9   BatchNormalization(spatial = 1)  ==>  without it;      Upsample(scales)  ==>  Upsample(x, scales)
//   10  Slice(starts, ends, axes), TopK(k)  ==>  inputs;       Upsample  ==>  Resize
//   11  Clip(min, max), Pad(pads, value)  ==>  inputs;         Resize(x, scales)  ==>  (x, roi, scales),
//   asymmetric
//       Scatter  ==>  ScatterElements
//   12  Dropout(ratio)  ==>  without it
//   13  Squeeze, Unsqueeze, ReduceSum (axes), Split(split)  ==>  inputs
//       Softmax(axis) over all axes from there on  ==>  Flatten -> Softmax(-1) -> Reshape
//   14  BatchNormalization  ==>  one output
//   16  RoiAlign  ==>  coordinate_transformation_mode = output_half_pixel
//   18  other reductions (axes)  ==>  inputs;                  Split without sizes  ==>  num_outputs
//   20  GridSample: bilinear, bicubic  ==>  linear, cubic
#include "compressor/rewrite/upgrade.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "compressor/base/error.h"
#include "compressor/ops/facts.h"

namespace compressor {
namespace {

constexpr std::int64_t kOldest = 7;

/// A graph under upgrade and what is known of its values.
struct Site {
  Graph& graph;
  const FactsMap& facts;

  const Value* constant(const Node& node, const std::string& setting, Tensor tensor) const {
    const std::string stem = (node.output(0) ? node.output(0)->name() : node.name()) + "." + setting;
    return graph.add_initializer(graph.fresh_name(stem), std::move(tensor));
  }
  const Value* ints(const Node& node, const std::string& setting, const std::vector<std::int64_t>& v) const {
    return constant(node, setting,
                    Tensor::of({static_cast<std::int64_t>(v.size())}, std::span<const std::int64_t>(v)));
  }
  /// The type of the first input: float32 where nothing says otherwise.
  DType type_of(const Node& node) const {
    const DType known = facts.of(*node.input(0)).dtype;
    return known == DType::kUndefined ? DType::kFloat : known;
  }
  Tensor scalar_like(const Node& node, float value) const {
    const auto number = static_cast<double>(value);
    return Tensor::of(type_of(node), {}, std::span<const double>(&number, 1));
  }
  /// Inputs are added up to `index`, absent in between.
  void set(const Node& node, std::size_t index, const Value* value) const {
    std::vector<const Value*> inputs(node.inputs().begin(), node.inputs().end());
    if (inputs.size() <= index) inputs.resize(index + 1, nullptr);
    inputs[index] = value;
    graph.set_inputs(node, std::move(inputs));
  }
  void attribute_to_input(const Node& node, const std::string& name, std::size_t index) const {
    if (!node.attribute(name)) return;
    set(node, index, ints(node, name, node.ints_or(name, {})));
    graph.erase_attribute(node, name);
  }
};

struct Step {
  std::vector<std::string> ops;
  std::int64_t at;  ///< applied on the way from a lower opset
  std::function<void(const Site&, const Node&)> apply;
  std::function<std::string(const Node&)> refuse = {};
};

bool is_read(const Value* value) {
  return value && !value->uses().empty();
}

std::string more_outputs(const Node& node) {
  for (std::size_t i = 1; i < node.outputs().size(); ++i) {
    if (is_read(node.output(i))) return "has more than one output that is read";
  }
  return "";
}

void slice(const Site& s, const Node& node) {
  const auto starts = node.ints_or("starts", {});
  std::vector<const Value*> inputs = {node.input(0), s.ints(node, "starts", starts),
                                      s.ints(node, "ends", node.ints_or("ends", {}))};
  if (node.attribute("axes")) inputs.push_back(s.ints(node, "axes", node.ints_or("axes", {})));
  s.graph.set_inputs(node, std::move(inputs));
  for (const char* name : {"starts", "ends", "axes"}) s.graph.erase_attribute(node, name);
}

void top_k(const Site& s, const Node& node) {
  s.set(node, 1, s.ints(node, "k", {node.int_or("k", 1)}));
  s.graph.erase_attribute(node, "k");
}

void clip(const Site& s, const Node& node) {
  if (node.attribute("min"))
    s.set(node, 1, s.constant(node, "min", s.scalar_like(node, node.float_or("min", 0))));
  if (node.attribute("max"))
    s.set(node, 2, s.constant(node, "max", s.scalar_like(node, node.float_or("max", 0))));
  s.graph.erase_attribute(node, "min");
  s.graph.erase_attribute(node, "max");
}

void pad(const Site& s, const Node& node) {
  const float value = node.float_or("value", 0);
  s.attribute_to_input(node, "pads", 1);
  if (value != 0) s.set(node, 2, s.constant(node, "value", s.scalar_like(node, value)));
  s.graph.erase_attribute(node, "value");
}

void upsample_scales(const Site& s, const Node& node) {
  const std::vector<float> scales = node.floats_or("scales", {});
  s.set(
      node, 1,
      s.constant(node, "scales", Tensor::of({static_cast<std::int64_t>(scales.size())}, std::span(scales))));
  s.graph.erase_attribute(node, "scales");
}

void resize_modes(const Site& s, const Node& node) {
  const Value* roi = s.constant(node, "roi", Tensor::of({0}, std::span<const float>()));
  s.graph.set_inputs(node, {node.input(0), roi, node.input(1)});
  s.graph.set_attribute(node, {"coordinate_transformation_mode", std::string("asymmetric")});
  if (node.string_or("mode", "nearest") == "nearest")
    s.graph.set_attribute(node, {"nearest_mode", std::string("floor")});
}

void softmax(const Site& s, const Node& node) {
  const std::int64_t axis = node.int_or("axis", 1);
  const Facts& x = s.facts.of(*node.input(0));
  if (axis == -1 || (x.ranked && axis == x.rank() - 1))
    return s.graph.set_attribute(node, {"axis", std::int64_t{-1}});
  const Value& y = *node.output(0);
  const auto add = [&](const std::string& op, std::vector<const Value*> inputs, const std::string& name,
                       std::vector<Attribute> settings) {
    NodeSpec spec{.op = op, .inputs = std::move(inputs), .outputs = {s.graph.fresh_name(name)}};
    spec.attributes = std::move(settings);
    spec.name = name;
    return s.graph.add_node(std::move(spec), &node).output(0);
  };
  const auto setting = [](std::int64_t value) {
    std::vector<Attribute> list;
    list.emplace_back("axis", value);
    return list;
  };
  const Value* shape = add("Shape", {node.input(0)}, y.name() + ".shape", {});
  const Value* flat = add("Flatten", {node.input(0)}, y.name() + ".flat", setting(axis));
  const Value* soft = add(node.op(), {flat}, y.name() + ".soft", setting(-1));
  const Value* back = add("Reshape", {soft, shape}, y.name() + ".back", {});
  s.graph.replace_uses(y, *back);
  s.graph.erase(node);
}

void one_output(const Site& s, const Node& node) {
  for (std::size_t i = node.outputs().size(); i-- > 1;) {
    if (node.output(i)) s.graph.drop_output(node, i);
  }
}

void split_count(const Site& s, const Node& node) {
  if (node.input(1) || node.attribute("num_outputs")) return;
  s.graph.set_attribute(node, {"num_outputs", static_cast<std::int64_t>(node.outputs().size())});
}

void grid_sample(const Site& s, const Node& node) {
  const std::string mode = node.string_or("mode", "bilinear");
  if (mode == "bilinear") s.graph.set_attribute(node, {"mode", std::string("linear")});
  if (mode == "bicubic") s.graph.set_attribute(node, {"mode", std::string("cubic")});
}

const std::vector<Step>& steps() {
  const auto erase = [](const char* name) {
    return [name](const Site& s, const Node& n) { s.graph.erase_attribute(n, name); };
  };
  const auto move = [](const char* name, std::size_t index) {
    return [name, index](const Site& s, const Node& n) { s.attribute_to_input(n, name, index); };
  };
  const auto never = [](const char* why) { return [why](const Node&) { return std::string(why); }; };
  const auto nothing = [](const Site&, const Node&) {};
  static const std::vector<Step> kSteps = {
      {{"BatchNormalization"},
       9,
       erase("spatial"),
       [](const Node& n) {
         return n.int_or("spatial", 1) == 0 ? "has spatial 0, which opset 9 does not have" : std::string();
       }},
      {{"Upsample"}, 9, upsample_scales},
      {{"Scan"}, 9, nothing, never("scans with a batch axis, which opset 9 does not have")},
      {{"Slice"}, 10, slice},
      {{"TopK"}, 10, top_k},
      {{"Dropout"}, 10, nothing, more_outputs},
      {{"Upsample"}, 10, [](const Site& s, const Node& n) { s.graph.set_op(n, "Resize"); }},
      {{"Clip"}, 11, clip},
      {{"Pad"}, 11, pad},
      {{"Resize"}, 11, resize_modes},
      {{"Scatter"}, 11, [](const Site& s, const Node& n) { s.graph.set_op(n, "ScatterElements"); }},
      {{"Dropout"}, 12, erase("ratio")},
      {{"Squeeze", "Unsqueeze", "ReduceSum"}, 13, move("axes", 1)},
      {{"Split"}, 13, move("split", 1)},
      {{"Softmax", "LogSoftmax", "Hardmax"}, 13, softmax},
      {{"Resize"},
       13,
       nothing,
       [](const Node& n) {
         return n.string_or("coordinate_transformation_mode", "") == "tf_half_pixel_for_nn"
                    ? "uses tf_half_pixel_for_nn, which opset 13 does not have"
                    : std::string();
       }},
      {{"BatchNormalization"}, 14, one_output, more_outputs},
      {{"RoiAlign"},
       16,
       [](const Site& s, const Node& n) {
         s.graph.set_attribute(n, {"coordinate_transformation_mode", std::string("output_half_pixel")});
       }},
      {{"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
        "ReduceProd", "ReduceSumSquare"},
       18,
       move("axes", 1)},
      {{"Split"}, 18, split_count},
      {{"GridSample"}, 20, grid_sample},
      {{"DFT"}, 20, nothing, never("takes its axis as an attribute, which opset 20 does not have")},
      {{"GroupNormalization"},
       21,
       nothing,
       never("has its scale by group, where opset 21 wants it by channel")},
  };
  return kSteps;
}

bool concerns(const Step& step, const Node& node, std::int64_t from, std::int64_t to) {
  return node.domain().empty() && step.at > from && step.at <= to &&
         std::find(step.ops.begin(), step.ops.end(), node.op()) != step.ops.end();
}

/// The IR version that came with an opset.
std::int64_t ir_of(std::int64_t opset) {
  if (opset >= 21) return 10;
  if (opset >= 19) return 9;
  if (opset >= 15) return 8;
  if (opset >= 12) return 7;
  return opset >= 11 ? 6 : opset >= 10 ? 5 : opset >= 9 ? 4 : 3;
}

}  // namespace

std::string why_not_upgrade(const Model& model, std::int64_t opset) {
  const std::int64_t from = model.opset();
  if (from >= opset) return "";
  if (opset > kNewestUpgrade) return fmt::format("opset {} is newer than {}", opset, kNewestUpgrade);
  if (from < kOldest)
    return fmt::format("the model has opset {}, and the way up is known from {} on", from, kOldest);
  for (const Function& f : model.functions) {
    for (const OpsetImport& import : f.opsets) {
      if (import.domain.empty())
        return fmt::format("function '{}' has an opset of its own; inline it first (compressor simplify)",
                           f.name);
    }
  }
  std::string why;
  model.each_graph([&](const Graph& graph) {
    for (const Node& node : graph.nodes()) {
      for (const Step& step : steps()) {
        if (!why.empty() || !step.refuse || !concerns(step, node, from, opset)) continue;
        if (const std::string reason = step.refuse(node); !reason.empty())
          why = fmt::format("node '{}' ({}) {}", node.label(), node.op(), reason);
      }
    }
  });
  return why;
}

void upgrade(Model& model, std::int64_t opset) {
  const std::int64_t from = model.opset();
  if (from >= opset) return;
  if (const std::string why = why_not_upgrade(model, opset); !why.empty())
    throw Error::model("opset {} cannot become {}: {}", from, opset, why);
  const FactsMap facts = infer_facts(model);
  std::vector<Graph*> graphs;
  model.each_graph([&](Graph& graph) { graphs.push_back(&graph); });
  for (const Step& step : steps()) {
    for (Graph* graph : graphs) {
      const Site site{*graph, facts};
      for (const Node* node : graph->node_list()) {
        if (concerns(step, *node, from, opset)) step.apply(site, *node);
      }
    }
  }
  for (OpsetImport& import : model.opsets) {
    if (import.domain.empty()) import.version = opset;
  }
  raise_ir(model, ir_of(opset));
}

std::int64_t close_weights(Model& model) {
  std::int64_t dropped = 0;
  const std::vector<const Value*> inputs(model.graph->inputs().begin(), model.graph->inputs().end());
  for (const Value* input : inputs) {
    if (!input->initializer()) continue;
    model.graph->erase_input(*input);
    ++dropped;
  }
  return dropped;
}

void note_closed(std::int64_t dropped, PassContext& context) {
  if (dropped == 0) return;
  context.note(fmt::format(
      "{} of the weights were inputs of the graph too; callers cannot replace them any more", dropped));
}

std::int64_t raise_ir(Model& model, std::int64_t version) {
  if (model.ir_version >= version) return 0;
  const std::int64_t dropped = model.ir_version < 4 && version >= 4 ? close_weights(model) : 0;
  model.ir_version = version;
  return dropped;
}

}  // namespace compressor

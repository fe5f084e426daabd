// small_net: runs the operators' rules over a graph written by hand.
#include "ops/small_net.h"

#include <algorithm>

namespace compressor::ops {

SmallNet::SmallNet(std::int64_t opset) {
  model_.ir_version = 9;
  model_.opsets = {{"", opset}, {"com.microsoft", 1}};
}

const Value* SmallNet::input(const std::string& name, SymDims dims) {
  Type type = Type::tensor(DType::kFloat, {});
  for (const SymDim& d : dims) {
    Dim dim;
    if (d.is_number()) dim.value = d.number();
    if (d.is_symbol()) dim.param = d.to_string();
    type.dims.push_back(dim);
  }
  return model_.graph->add_input(name, type);
}

const Value* SmallNet::weight(const std::string& name, const Dims& shape) {
  return model_.graph->add_initializer(name,
                                       Tensor::of(shape, std::vector<float>(num_elements(shape), 0.5F)));
}

const Value* SmallNet::ints(const std::string& name, const std::vector<std::int64_t>& values) {
  return model_.graph->add_initializer(
      name, Tensor::of({static_cast<std::int64_t>(values.size())}, std::span<const std::int64_t>(values)));
}

const Value* SmallNet::node(const std::string& op, const std::string& name, std::vector<const Value*> inputs,
                            Settings attributes, std::size_t outputs, const std::string& domain) {
  NodeSpec spec;
  spec.op = op;
  spec.name = name;
  spec.domain = domain;
  spec.inputs = std::move(inputs);
  for (auto& [key, setting] : attributes) {
    std::visit([&, &k = key](auto& v) { spec.attributes.emplace_back(k, std::move(v)); }, setting);
  }
  spec.outputs.push_back(name);
  for (std::size_t i = 1; i < outputs; ++i) spec.outputs.push_back(name + "_" + std::to_string(i));
  return model_.graph->add_node(std::move(spec)).output(0);
}

void SmallNet::infer() {
  facts_ = infer_facts(model_);
  if (!facts_.problems.empty()) throw Error::model("{}", facts_.problems[0].why);
}

std::string SmallNet::problem() {
  facts_ = infer_facts(model_);
  return facts_.problems.empty() ? "" : facts_.problems[0].why;
}

std::string SmallNet::dims(const std::string& name) {
  infer();
  return to_string(facts(name).dims);
}

Cost SmallNet::cost(const std::string& name) {
  infer();
  const Node& node = node_of(name);
  std::vector<const Facts*> inputs, outputs;
  for (const Value* v : node.inputs()) inputs.push_back(v ? &facts_.of(*v) : nullptr);
  for (const Value* v : node.outputs()) outputs.push_back(v ? &facts_.of(*v) : nullptr);
  return find_op(model_, node)->cost({node, opset_of(model_, node), inputs, outputs});
}

void SmallNet::run_rules() {
  infer();
  for (const Node& node : model_.graph->nodes()) {
    ChannelContext context(node, opset_of(model_, node), facts_, lists_, [](const Graph&) {});
    find_op(model_, node)->channels(context);
  }
}

const Places& SmallNet::places(const std::string& name, std::int64_t axis) {
  static const Places kNone;
  const std::vector<Places>* axes = lists_.find(*value(name));
  return axes ? axes->at(static_cast<std::size_t>(axis)) : kNone;
}

void SmallNet::remove(const std::string& name, std::int64_t axis, std::size_t position, std::size_t factor) {
  removed_.insert(lists_.atoms.classes(places(name, axis).at(position)).at(factor));
}

std::vector<std::int64_t> SmallNet::gone(const std::string& name, std::int64_t axis) {
  std::vector<std::int64_t> result;
  const Places& list = places(name, axis);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::vector<Atom> classes = lists_.atoms.classes(list[i]);
    if (std::any_of(classes.begin(), classes.end(), [&](Atom a) { return removed_.contains(a); })) {
      result.push_back(static_cast<std::int64_t>(i));
    }
  }
  return result;
}

void SmallNet::shrink(const std::string& name) {
  const Node& node = node_of(name);
  const auto kept = [this](const Value& v, std::int64_t axis) -> const std::vector<std::int64_t>* {
    const std::vector<std::int64_t> lost = gone(v.name(), axis);
    if (lost.empty()) return nullptr;
    std::vector<std::int64_t>& stay = kept_[{&v, axis}];
    stay.clear();
    const auto n = static_cast<std::int64_t>(places(v.name(), axis).size());
    for (std::int64_t i = 0; i < n; ++i) {
      if (std::find(lost.begin(), lost.end(), i) == lost.end()) stay.push_back(i);
    }
    return &stay;
  };
  ShrinkContext context(*model_.graph, node, opset_of(model_, node), facts_, kept);
  find_op(model_, node)->shrink(context);
}

bool SmallNet::frozen(const std::string& name, std::int64_t axis, std::size_t position) {
  const std::vector<Atom> classes = lists_.atoms.classes(places(name, axis).at(position));
  return std::any_of(classes.begin(), classes.end(), [&](Atom a) { return lists_.atoms.frozen(a); });
}

bool SmallNet::approximate(const std::string& name, std::int64_t axis, std::size_t position) {
  const std::vector<Atom> classes = lists_.atoms.classes(places(name, axis).at(position));
  return std::any_of(classes.begin(), classes.end(), [&](Atom a) { return lists_.atoms.approximated(a); });
}

}  // namespace compressor::ops

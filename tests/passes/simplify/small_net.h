// small_net: builds small models for tests, and runs simplify on them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "compressor/base/random.h"
#include "compressor/passes/simplify.h"
#include "referee.h"

namespace compressor::judge {

/// A model under construction. Weights are normal numbers from the seed.
class SmallNet {
 public:
  explicit SmallNet(std::int64_t opset = 13, std::int64_t ir = 8, std::uint64_t seed = 7) : random_(seed) {
    model_.ir_version = ir;
    model_.opsets.push_back({.domain = "", .version = opset});
    model_.graph->set_name("net");
  }
  Model& model() { return model_; }
  Graph& graph() { return *model_.graph; }
  const Value* input(const std::string& name, const Dims& dims, DType type = DType::kFloat) {
    return graph().add_input(name, Type::tensor(type, dims));
  }
  const Value* weight(const std::string& name, const Dims& dims, double low = 0) {
    std::vector<float> values(num_elements(dims));
    for (float& v : values)
      v = static_cast<float>(low > 0 ? low + random_.uniform() : random_.normal() * 0.5);
    return constant(name, Tensor::of(dims, std::span<const float>(values)));
  }
  const Value* ints(const std::string& name, const std::vector<std::int64_t>& values) {
    return constant(name, Tensor::of({static_cast<std::int64_t>(values.size())}, std::span(values)));
  }
  const Value* constant(const std::string& name, Tensor tensor) {
    const Value* v = graph().add_initializer(name, tensor);
    if (model_.ir_version < 4) graph().add_input(name, Type::tensor(tensor.dtype, tensor.shape));
    return v;
  }
  const Value* add(const std::string& op, std::vector<const Value*> inputs,
                   std::vector<Attribute> attributes = {}) {
    return node(op, std::move(inputs), 1, std::move(attributes)).output(0);
  }
  const Node& node(const std::string& op, std::vector<const Value*> inputs, int outputs,
                   std::vector<Attribute> attributes = {}) {
    NodeSpec spec{.op = op, .inputs = std::move(inputs)};
    spec.name = op + "_" + std::to_string(++count_);
    for (int i = 0; i < outputs; ++i)
      spec.outputs.push_back(spec.name + "_out" + (i ? std::to_string(i) : ""));
    spec.attributes = std::move(attributes);
    return graph().add_node(std::move(spec));
  }
  /// An output of unknown shape, which every runtime accepts.
  void output(const Value* value, DType type = DType::kFloat) {
    Type t;
    t.kind = Type::Kind::kTensor;
    t.dtype = type;
    graph().set_type(*value, std::move(t));
    graph().add_output(*value);
  }
  const Value* batchnorm(const Value* x, std::int64_t channels, std::vector<Attribute> attributes = {}) {
    const std::string n = "bn" + std::to_string(++count_);
    return add("BatchNormalization",
               {x, weight(n + ".gamma", {channels}), weight(n + ".beta", {channels}),
                weight(n + ".mean", {channels}), weight(n + ".var", {channels}, 0.5)},
               std::move(attributes));
  }

 private:
  Model model_;
  Random random_;
  int count_ = 0;
};

inline std::size_t count(const Graph& graph, const std::string& op) {
  return static_cast<std::size_t>(
      std::count_if(graph.nodes().begin(), graph.nodes().end(), [&](const Node& n) { return n.op() == op; }));
}

struct Simplified {
  Model before;
  Model after;
  PassResult result;
  const Graph& graph() const { return *after.graph; }
};

/// Runs simplify on a copy, verifies the result, and that a second run changes nothing.
inline Simplified simplify(const Model& model, Simplify& pass, PassContext context = {}) {
  model.verify();
  Simplified s{.before = model.clone(), .after = model.clone(), .result = {}};
  PassContext again = context;
  pass.run(s.after, context);
  s.after.verify();
  s.result = context.result;
  Model twice = s.after.clone();
  pass.run(twice, again);
  EXPECT_FALSE(again.result.changed && again.result.done > 0)
      << "a second run changed something: "
      << (again.result.notes.empty() ? "?" : again.result.notes.front());
  return s;
}

inline Simplified simplify(const Model& model) {
  Simplify pass;
  return simplify(model, pass);
}

inline void expect_same_numbers(const Simplified& s, const Conditions& conditions = {}) {
  const Difference d = difference(s.before, s.after, conditions);
  EXPECT_EQ(d.error, "");
  EXPECT_LT(d.max_rel, 1e-5);
  EXPECT_TRUE(d.shapes_equal && d.same_names) << d.reply;
}

}  // namespace compressor::judge

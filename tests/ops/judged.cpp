// judged: builds the node's model, runs the kernel, and has ONNX Runtime compare the model with the results.
#include "ops/judged.h"

#include <gtest/gtest.h>

#include "compressor/ops/op.h"
#include "referee.h"

namespace compressor::ops {
namespace {

Type tensor_type(DType dtype) {
  Type type;
  type.kind = Type::Kind::kTensor;
  type.dtype = dtype;
  return type;
}

Model empty_model(std::int64_t opset) {
  Model model;
  model.ir_version = opset > 22 ? 11 : opset > 20 ? 10 : 8;
  model.opsets = {{"", opset}, {"com.microsoft", 1}, {"ai.onnx.ml", 3}};
  model.graph->set_name("judged");
  return model;
}

}  // namespace

Model Judged::model(std::vector<const Value*>* outputs) const {
  Model model = empty_model(opset_);
  NodeSpec spec;
  spec.op = op_;
  spec.domain = domain_;
  spec.name = "node";
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    spec.inputs.push_back(inputs_[i] ? model.graph->add_initializer("in" + std::to_string(i), *inputs_[i])
                                     : nullptr);
  }
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    spec.outputs.push_back(wanted_[i] ? "out" + std::to_string(i) : "");
  }
  for (const auto& [key, setting] : settings_) {
    std::visit([&, &k = key](const auto& v) { spec.attributes.emplace_back(k, v); }, setting);
  }
  const Node& node = model.graph->add_node(std::move(spec));
  outputs->assign(node.outputs().begin(), node.outputs().end());
  return model;
}

std::vector<std::optional<Tensor>> Judged::compute() const {
  std::vector<const Value*> values;
  const Model model = this->model(&values);
  const Node& node = model.graph->nodes().front();
  std::vector<const Tensor*> inputs;
  for (const auto& input : inputs_) inputs.push_back(input ? &*input : nullptr);
  const Op* op = find_op(model, node);
  if (!op || !op->compute) throw std::runtime_error(op_ + " has no kernel");
  ComputeContext context(node, opset_, inputs);
  op->compute(context);
  const FactsMap facts = infer_facts(model);
  for (const FactsMap::Problem& problem : facts.problems) ADD_FAILURE() << problem.why;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) continue;
    if (!context.outputs()[i]) {
      ADD_FAILURE() << op_ << " makes no output " << i;
      continue;
    }
    const Facts& known = facts.of(*values[i]);
    const Tensor& made = *context.outputs()[i];
    EXPECT_EQ(name(known.dtype), name(made.dtype)) << op_ << " output " << i;
    if (!known.ranked) continue;
    EXPECT_EQ(known.rank(), made.rank()) << op_ << " output " << i;
    for (std::size_t k = 0; k < known.dims.size() && k < made.shape.size(); ++k) {
      if (known.dims[k].is_number()) {
        EXPECT_EQ(known.dims[k].number(), made.shape[k]) << op_ << " output " << i << " axis " << k;
      }
    }
  }
  return context.outputs();
}

void Judged::agrees(double absolute, double relative) const {
  const std::vector<std::optional<Tensor>> made = compute();
  std::vector<const Value*> values;
  Model theirs = model(&values);
  Model ours = empty_model(opset_);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i] || !made[i]) continue;
    theirs.graph->set_type(*values[i], tensor_type(made[i]->dtype));
    theirs.graph->add_output(*values[i]);
    NodeSpec spec;
    spec.op = "Identity";
    spec.name = "same" + std::to_string(i);
    spec.inputs = {ours.graph->add_initializer("made" + std::to_string(i), *made[i])};
    spec.outputs = {"out" + std::to_string(i)};
    const Value* out = ours.graph->add_node(std::move(spec)).output(0);
    ours.graph->set_type(*out, tensor_type(made[i]->dtype));
    ours.graph->add_output(*out);
  }
  const judge::Difference d = judge::difference(theirs, ours, {.opt = "none"});
  ASSERT_EQ(d.error, "") << op_;
  EXPECT_TRUE(d.shapes_equal) << op_ << ": " << d.reply;
  for (const judge::Difference::Output& output : d.outputs) {
    const double bound = absolute + relative * output.absmax;
    EXPECT_LE(output.max_abs, bound) << op_ << ": " << d.reply;
  }
}

Tensor Draw::normal(const Dims& dims, double scale, DType type) {
  std::vector<double> values(num_elements(dims));
  for (double& v : values) v = random_.normal() * scale;
  return Tensor::of(type, dims, values);
}

Tensor Draw::integers(DType type, const Dims& dims, std::int64_t low, std::int64_t high) {
  std::vector<double> values(num_elements(dims));
  for (double& v : values) {
    v = static_cast<double>(
        low + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(high - low + 1))));
  }
  return Tensor::of(type, dims, values);
}

Tensor Draw::positive(const Dims& dims, double scale, DType type) {
  std::vector<double> values(num_elements(dims));
  for (double& v : values) v = (0.5 + random_.uniform()) * scale;
  return Tensor::of(type, dims, values);
}

Tensor number(DType type, double value) {
  return Tensor::of(type, {}, std::span<const double>(&value, 1));
}

}  // namespace compressor::ops

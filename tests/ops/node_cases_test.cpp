// node_cases: shape rules and kernels against ONNX's own test data, wherever it is installed.
//
// Every case whose operators the table knows is run twice: (1) the inferred types and shapes of its outputs
// against those of the expected outputs, once as the file is and once with the inputs given as constants; (2)
// where every operator has a kernel, the computed outputs against the expected ones. Cases that fail for a
// known reason stand in exclusions.txt; one that stands there and passes fails too.
#include "node_cases.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "compressor/onnx/load.h"
#include "compressor/ops/op.h"

namespace compressor::ops {
namespace {

using namespace node_cases;

bool every_op(const Model& model, const std::function<bool(const Op&)>& holds) {
  bool all = true;
  model.each_graph([&](const Graph& graph) {
    for (const Node& node : graph.nodes()) {
      const Op* op = find_op(model, node);
      all = all && op && holds(*op);
    }
  });
  return all;
}

struct Case {
  Model model;
  std::vector<Tensor> inputs, outputs;  ///< fewer where a file is no tensor
  bool complete = true;
};

std::vector<Tensor> tensors(const fs::path& folder, const std::string& stem, bool& complete) {
  std::vector<Tensor> result;
  for (int i = 0;; ++i) {
    const fs::path file = folder / (stem + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(file)) return result;
    try {
      result.push_back(load_tensor_pb(file.string()));
    } catch (const Error&) {  // a sequence or optional
      complete = false;
      return result;
    }
  }
}

Case load(const fs::path& folder) {
  Case c{load_model((folder / "model.onnx").string()), {}, {}};
  c.inputs = tensors(folder / "test_data_set_0", "input", c.complete);
  c.outputs = tensors(folder / "test_data_set_0", "output", c.complete);
  c.complete = c.complete && c.inputs.size() == c.model.graph->inputs().size() &&
               c.outputs.size() == c.model.graph->outputs().size();
  return c;
}

/// "" when the inferred facts agree with the tensor.
std::string compare_facts(const Facts& facts, const Tensor& expected) {
  if (facts.dtype != expected.dtype) {
    return fmt::format("type {}, expected {}", name(facts.dtype), name(expected.dtype));
  }
  if (!facts.ranked) return "";
  if (facts.rank() != expected.rank()) {
    return fmt::format("shape {}, expected {}", to_string(facts.dims), to_string(expected.shape));
  }
  for (std::size_t i = 0; i < facts.dims.size(); ++i) {
    if (facts.dims[i].is_number() && facts.dims[i].number() != expected.shape[i]) {
      return fmt::format("shape {}, expected {}", to_string(facts.dims), to_string(expected.shape));
    }
  }
  return "";
}

/// `open`: what is not a number among the outputs' shapes.
std::string check_shapes(const Model& model, const std::vector<Tensor>& outputs, std::string* open) {
  // What the file declares of its outputs must not fill in for the rules.
  Model bare = model.clone();
  for (const Value* v : bare.graph->outputs()) {
    if (!v->is_input()) bare.graph->set_type(*v, Type());
  }
  const FactsMap facts = infer_facts(bare);
  if (!facts.problems.empty()) return facts.problems[0].why;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Facts& f = facts.of(*bare.graph->outputs()[i]);
    const std::string wrong = compare_facts(f, outputs[i]);
    if (!wrong.empty()) return fmt::format("output {}: {}", i, wrong);
    if (open && !f.is_static())
      *open = fmt::format("output {}: {}", i, f.ranked ? to_string(f.dims) : "rank not known");
  }
  return "";
}

/// The same model whose inputs are initializers.
Model with_constants(const Case& c) {
  Model model = c.model.clone();
  const std::vector<const Value*> inputs(model.graph->inputs().begin(), model.graph->inputs().end());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i]->uses().empty() || inputs[i]->is_graph_output() || inputs[i]->initializer()) continue;
    const Value* constant = model.graph->add_initializer(model.graph->fresh_name("given"), c.inputs[i]);
    model.graph->replace_uses(*inputs[i], *constant);
  }
  return model;
}

/// Runs the main graph node by node.
std::string check_numbers(const Case& c) {
  std::map<const Value*, Tensor> values;
  for (const Value* v : c.model.graph->initializers()) values[v] = *v->initializer();
  for (std::size_t i = 0; i < c.inputs.size(); ++i) values[c.model.graph->inputs()[i]] = c.inputs[i];
  for (const Node& node : c.model.graph->nodes()) {
    std::vector<const Tensor*> inputs;
    for (const Value* v : node.inputs()) {
      const auto it = v ? values.find(v) : values.end();
      if (v && it == values.end()) return "'" + v->name() + "' was not computed";
      inputs.push_back(v ? &it->second : nullptr);
    }
    ComputeContext context(node, opset_of(c.model, node), inputs);
    find_op(c.model, node)->compute(context);
    for (std::size_t i = 0; i < node.outputs().size(); ++i) {
      if (node.output(i) && context.outputs()[i]) values[node.output(i)] = *context.outputs()[i];
    }
  }
  for (std::size_t i = 0; i < c.outputs.size(); ++i) {
    const auto it = values.find(c.model.graph->outputs()[i]);
    if (it == values.end()) return fmt::format("output {} was not computed", i);
    const std::string wrong = compare_numbers(it->second, c.outputs[i]);
    if (!wrong.empty()) return fmt::format("output {}: {}", i, wrong);
  }
  return "";
}

TEST_F(NodeCases, InferredShapesAreThoseOfTheExpectedOutputs) {
  std::size_t run = 0;
  for (const fs::path& folder : cases()) {
    std::string wrong;
    try {
      const Case c = load(folder);
      if (!every_op(c.model, [](const Op& op) { return op.infer != nullptr; })) continue;
      ++run;
      wrong = guarded([&] { return check_shapes(c.model, c.outputs, nullptr); });
      if (wrong.empty() && c.complete) {
        std::string open;
        wrong = guarded([&] { return check_shapes(with_constants(c), c.outputs, &open); });
        if (!wrong.empty()) wrong = "with constant inputs: " + wrong;
        // With every input given, all shapes are numbers but for those that only a kernel could tell.
        judge("known", folder.filename().string(), open);
      }
    } catch (const Error& error) {
      wrong = std::string("cannot be loaded: ") + error.what();
    }
    judge("shape", folder.filename().string(), wrong);
  }
  RecordProperty("cases", static_cast<int>(run));
  all_exclusions_used("shape");
  all_exclusions_used("known");
  EXPECT_GT(run, 700U);
}

TEST_F(NodeCases, KernelsComputeTheExpectedOutputs) {
  std::size_t run = 0;
  for (const fs::path& folder : cases()) {
    try {
      const Case c = load(folder);
      if (!c.complete || !every_op(c.model, [](const Op& op) { return op.compute != nullptr; })) continue;
      ++run;
      judge("numbers", folder.filename().string(), guarded([&] { return check_numbers(c); }));
    } catch (const Error&) {
      continue;  // reported above
    }
  }
  RecordProperty("cases", static_cast<int>(run));
  all_exclusions_used("numbers");
  EXPECT_GT(run, 300U);
}

}  // namespace
}  // namespace compressor::ops

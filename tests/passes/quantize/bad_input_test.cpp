// bad_input: numbers that are none, numbers no scale is small enough for, names nobody has: a reason, and
// never a file that computes something else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "builder.h"
#include "compressor/base/error.h"
#include "compressor/passes/quantize.h"
#include "referee.h"

namespace compressor {
namespace {

using build::V;
using testing::AllOf;
using testing::HasSubstr;

Tensor filled(const Dims& shape, float value) {
  const std::vector<float> values(num_elements(shape), value);
  return Tensor::of(shape, std::span<const float>(values));
}

/// x [1, 4, 6, 6] -> Conv(w, b) -> Relu -> Conv; the first weight or bias is given.
Model network(const Tensor* weight, const Tensor* bias = nullptr) {
  build::Net net;
  const V x = net.input("x", {1, 4, 6, 6});
  const V y = net.conv_with(x, weight ? net.constant(*weight) : net.weight({16, 4, 3, 3}),
                            bias ? net.constant(*bias) : net.weight({16}));
  net.output(net.conv(net.relu(y), 16, 8));
  return net.done();
}

PassContext::Batches samples(float value) {
  return [value](const std::function<void(const PassContext::Inputs&)>& visit) {
    Tensor x = filled({1, 4, 6, 6}, 0.5F);
    std::vector<float> values = to_floats(x);
    values[7] = value;
    PassContext::Inputs inputs;
    inputs.emplace("x", Tensor::of({1, 4, 6, 6}, std::span<const float>(values)));
    visit(inputs);
  };
}

PassResult run(Model& model, const std::string& mode, float value = 1) {
  Quantize pass;
  pass.mode.set(mode);
  if (mode == "dynamic") pass.dynamic_conv.set(true);
  PassContext context;
  if (mode == "static") context.batches = samples(value);
  pass.run(model, context);
  return std::move(context.result);
}

std::string reasons(const PassResult& result) {
  std::string all;
  for (const LayerRecord& layer : result.layers) all += layer.action == "skipped" ? layer.detail + "; " : "";
  return all;
}

TEST(BadInput, WeightsTooSmallForAScaleAreLeft) {
  const Tensor tiny = filled({16, 4, 3, 3}, 1e-41F);
  for (const char* mode : {"weight-only", "dynamic", "static"}) {
    Model model = network(&tiny);
    const PassResult result = run(model, mode);
    EXPECT_EQ(result.done, 1) << mode;
    EXPECT_THAT(reasons(result), HasSubstr("too small for a scale")) << mode;
  }
}

TEST(BadInput, AChannelTooSmallForAScaleIsZero) {
  std::vector<float> values = to_floats(filled({16, 4, 3, 3}, 0.1F));
  for (int i = 0; i < 36; ++i) values[static_cast<std::size_t>(i)] = 1e-41F;
  const Tensor weight = Tensor::of({16, 4, 3, 3}, std::span<const float>(values));
  for (const char* mode : {"weight-only", "dynamic", "static"}) {
    Model model = network(&weight);
    EXPECT_EQ(run(model, mode).done, 2) << mode;
  }
}

TEST(BadInput, ActivationsTooSmallForAScaleStayInFloat) {
  Model model = network(nullptr);
  Quantize pass;
  pass.mode.set("static");
  PassContext context;
  context.batches = [](const auto& visit) {
    PassContext::Inputs inputs;
    inputs.emplace("x", filled({1, 4, 6, 6}, 1e-41F));
    visit(inputs);
  };
  pass.run(model, context);
  EXPECT_EQ(context.result.done, 1);
  EXPECT_THAT(reasons(context.result),
              HasSubstr("'x' holds numbers in [1e-41, 1e-41], for which no float32"));
}

TEST(BadInput, AMaskOfInfinitiesStaysInFloat) {
  build::Net net;
  const V x = net.input("x", {1, 4, 6, 6});
  std::vector<float> mask(36);
  for (std::size_t i = 0; i < 36; i += 5) mask[i] = -HUGE_VALF;
  const V scores = net.add(net.conv(x, 4, 4), net.constant(Tensor::of({6, 6}, std::span<const float>(mask))));
  net.output(net.conv(net.op("Softmax", {scores}, {build::attr("axis", std::int64_t{-1})}), 4, 4));
  Model model = net.done();
  const PassResult result = run(model, "static");
  EXPECT_EQ(result.done, 2);
  EXPECT_THAT(result.notes, testing::Contains(HasSubstr("holds numbers that are not finite")));
}

TEST(BadInput, AnInputThatIsGivenBackKeepsItsName) {
  build::Net net;
  const V x = net.input("x", {1, 4, 6, 6});
  net.output(net.conv(x, 4, 8));
  net.graph().add_output(*x);
  Model model = net.done();
  EXPECT_EQ(run(model, "static").done, 1);
  EXPECT_EQ(model.graph->inputs()[0]->name(), "x");
  EXPECT_EQ(model.graph->outputs()[1]->name(), "x");
  EXPECT_FALSE(model.graph->outputs()[1]->producer());
}

TEST(BadInput, ABiasThatIsNoNumberKeepsItsLayer) {
  const Tensor bias = filled({16}, std::nanf(""));
  Model model = network(nullptr, &bias);
  std::string relu;
  for (const Node& node : model.graph->nodes()) {
    if (node.is("Relu")) relu = node.output(0)->name();
  }
  const judge::TempFolder folder;
  std::ofstream(folder.file("r.json")) << "{\"x\": [-1, 1], \"" << relu << "\": [0, 4]}";
  Quantize pass;
  pass.ranges.set(folder.file("r.json"));
  PassContext context;
  pass.run(model, context);
  EXPECT_EQ(context.result.done, 1);
  EXPECT_THAT(reasons(context.result), AllOf(HasSubstr("bias"), HasSubstr("no numbers")));
}

TEST(BadInput, DataThatIsNoNumberIsNamed) {
  for (const float odd : {std::nanf(""), HUGE_VALF}) {
    Model model = network(nullptr);
    try {
      run(model, "static", odd);
      ADD_FAILURE() << "nothing was said";
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("1 numbers that are not finite for input 'x'"));
    }
    Quantize pass;
    pass.mode.set("weight-only");
    pass.rounding.set("gptq");
    PassContext context;
    context.batches = samples(odd);
    EXPECT_THROW(pass.run(model, context), Error);
  }
}

TEST(BadInput, RangesOfOtherModelsAreNamed) {
  const judge::TempFolder folder;
  const auto run_with = [&](const std::string& text) {
    std::ofstream(folder.file("r.json")) << text;
    Model model = network(nullptr);
    Quantize pass;
    pass.ranges.set(folder.file("r.json"));
    PassContext context;
    pass.run(model, context);
    return std::move(context.result);
  };
  const PassResult some = run_with("{\"x\": [-1, 1], \"nobody\": [0, 1]}");
  EXPECT_THAT(some.warnings, testing::Contains(HasSubstr("'nobody' is no value of the model")));
  for (const char* text : {"{\"nobody\": [0, 1]}", "{}"}) {
    try {
      run_with(text);
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage) << text;
    }
  }
}

TEST(BadInput, WhereNothingCanBeQuantizedNoDataIsRead) {
  build::Net net;
  const V shape = net.ints({8, 4, 3, 3});
  net.output(net.op("Conv", {net.input("x", {1, 4, 6, 6}), net.op("ConstantOfShape", {shape})}));
  Model model = net.done();
  Quantize pass;
  PassContext context;
  context.batches = [](const auto&) { ADD_FAILURE() << "it was read"; };
  try {
    pass.run(model, context);
    ADD_FAILURE() << "nothing was said";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kTarget);
    EXPECT_THAT(e.what(), HasSubstr("which is computed"));
  }
}

TEST(BadInput, ShapesThatStayInFloatAreNamed) {
  build::Net net;
  const V x = net.input("x", {4, 2, 16});
  net.output(net.matmul(net.matmul(x, net.weight({4, 16, 16})), net.weight({16, 8})));
  Model model = net.done();
  Quantize pass;
  pass.mode.set("static");
  pass.input_range.set({"-1,1"});
  PassContext context;
  pass.run(model, context);
  EXPECT_THAT(reasons(context.result), HasSubstr("of type float32 and shape 4x16x16"));
}

}  // namespace
}  // namespace compressor

// Softmax, transposed and fused convolutions, PRelu, LRN and Dropout in the engine.
#include "engine/run_rules.h"

namespace compressor::build {
namespace {

TEST(SoftmaxRun, IsAsPortable) {
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    for (const Dims& x : {Dims{2, 19, 5, 7}, Dims{4, 130}, Dims{3, 70, 90}}) {
      for (const std::int64_t opset : {11, 13}) {
        for (std::int64_t axis = 0; axis < static_cast<std::int64_t>(x.size()); ++axis) {
          for (const bool channels_last : {false, true}) {
            if (channels_last && x.size() < 3) continue;
            Net net(opset);
            net.output(net.op(op, {maybe_convolved(net, x, channels_last)}, {attr("axis", axis)}));
            expect_fast_as_portable(net.done());
          }
        }
      }
    }
  }
}

struct TransposeCase {
  const char* name;
  Dims x, w;
  Settings settings = {};
};

void PrintTo(const TransposeCase& c, std::ostream* out) {
  *out << c.name;
}

class ConvTransposeRun : public testing::TestWithParam<TransposeCase> {};

TEST_P(ConvTransposeRun, IsAsPortable) {
  const TransposeCase& c = GetParam();
  for (const bool bias : {false, true}) {
    Net net;
    std::vector<V> inputs{net.input("x", c.x), net.weight(c.w)};
    std::int64_t group = 1;
    for (const Setting& s : c.settings) group = s.name == "group" ? std::get<std::int64_t>(s.value) : group;
    if (bias) inputs.push_back(net.weight({c.w[1] * group}));
    net.output(net.op("ConvTranspose", inputs, c.settings));
    expect_fast_as_portable(net.done());
  }
}

const Setting by2 = attr("strides", Ints{2, 2});

INSTANTIATE_TEST_SUITE_P(
    All, ConvTransposeRun,
    testing::Values(
        TransposeCase{"Doubles", {2, 6, 5, 7}, {6, 4, 2, 2}, {by2}},
        TransposeCase{"Plain", {1, 16, 9, 9}, {16, 8, 3, 3}, {attr("pads", Ints{1, 1, 1, 1})}},
        TransposeCase{"OutputPadding",
                      {1, 3, 5, 5},
                      {3, 5, 3, 3},
                      {by2, attr("pads", Ints{1, 1, 1, 1}), attr("output_padding", Ints{1, 1})}},
        TransposeCase{"OutputShape", {1, 3, 5, 5}, {3, 5, 3, 3}, {by2, attr("output_shape", Ints{10, 11})}},
        TransposeCase{"SameUpper", {1, 3, 5, 5}, {3, 5, 3, 3}, {by2, attr("auto_pad", "SAME_UPPER")}},
        TransposeCase{"Grouped", {1, 6, 5, 5}, {6, 2, 3, 3}, {by2, attr("group", std::int64_t{3})}},
        TransposeCase{"Depthwise", {1, 6, 5, 5}, {6, 1, 4, 4}, {by2, attr("group", std::int64_t{6})}},
        TransposeCase{"Dilated", {1, 4, 5, 5}, {4, 3, 3, 3}, {attr("dilations", Ints{2, 2})}},
        TransposeCase{"OneAxis", {2, 4, 9}, {4, 3, 4}, {attr("strides", Ints{2})}},
        TransposeCase{"Volume", {1, 4, 3, 4, 3}, {4, 2, 2, 2, 2}, {attr("strides", Ints{2, 2, 2})}}),
    [](const auto& c) { return std::string(c.param.name); });

Model fused(const Settings& settings, bool add) {
  Net net;
  NodeSpec spec;
  spec.op = "FusedConv";
  spec.domain = "com.microsoft";
  spec.inputs = {net.input("x", {1, 3, 8, 8}), net.weight({6, 3, 3, 3}), net.weight({6})};
  if (add) spec.inputs.push_back(net.input("z", {1, 6, 6, 6}));
  spec.outputs = {"y"};
  for (const Setting& s : settings) {
    std::visit([&](const auto& value) { spec.attributes.emplace_back(s.name, value); }, s.value);
  }
  const Node& node = net.graph().add_node(std::move(spec));
  net.output(node.outputs()[0]);
  Model model = net.done();
  model.opsets.push_back({.domain = "com.microsoft", .version = 1});
  return model;
}

TEST(FusedConvRun, IsAsPortable) {
  expect_fast_as_portable(fused({}, false));
  for (const char* f : {"Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid", "Softplus"}) {
    expect_fast_as_portable(fused({attr("activation", f)}, false));
    expect_fast_as_portable(fused({attr("activation", f)}, true));
  }
}

TEST(PReluRun, IsAsPortable) {
  for (const Dims& slope : {Dims{1}, Dims{5, 1, 1}, Dims{7}, Dims{5, 6, 7}}) {
    for (const bool channels_last : {false, true}) {
      Net net;
      net.output(net.op("PRelu", {maybe_convolved(net, {2, 5, 6, 7}, channels_last), net.weight(slope)}));
      expect_fast_as_portable(net.done());
    }
  }
}

TEST(LrnRun, IsAsPortable) {
  for (const std::int64_t size : {1, 2, 5}) {
    for (const float beta : {0.75F, 0.5F}) {
      Net net;
      net.output(net.op("LRN", {maybe_convolved(net, {2, 9, 20, 20}, true)},
                        {attr("size", size), attr("alpha", 0.3F), attr("beta", beta), attr("bias", 2.0F)}));
      expect_fast_as_portable(net.done());
    }
  }
}

Model dropping(float ratio) {
  Net net;
  V trains = net.constant(Tensor::of(DType::kBool, {}, std::vector<double>{1}));
  net.output(net.op("Dropout", {net.input("x", {40, 50}), net.number(ratio), trains}));
  return net.done();
}

TEST(DropoutRun, DropsItsShareAndKeepsTheMean) {
  const Model model = dropping(0.25F);
  Executor executor(model);
  const std::vector<float> ones(2000, 1.0F);
  const Executor::Feeds feeds{{"x", Tensor::of({40, 50}, std::span<const float>(ones))}};
  const std::vector<float> first = to_floats(executor.run(feeds)[0].tensor);
  const std::vector<float> second = to_floats(executor.run(feeds)[0].tensor);
  EXPECT_NE(first, second);
  std::size_t zeros = 0;
  for (const float v : first) {
    zeros += v == 0 ? 1 : 0;
    EXPECT_TRUE(v == 0 || std::fabs(v - 1 / 0.75F) < 1e-6F) << v;
  }
  EXPECT_NEAR(static_cast<double>(zeros), 500, 80);
}

TEST(DropoutRun, GradientIsThroughTheSameMask) {
  for (const int stretches : {0, 2}) {
    const Model model = dropping(0.5F);
    const Value* x = model.graph->inputs()[0];
    const Value* y = model.graph->outputs()[0];
    ExecutorOptions options;
    options.training = true;
    options.gradients_of = {x};
    options.stretches = stretches;
    Executor executor(model, options);
    const std::vector<float> ones(2000, 1.0F);
    const Tensor one = Tensor::of({40, 50}, std::span<const float>(ones));
    for (int again = 0; again < 3; ++again) {
      const std::vector<float> out = to_floats(executor.run({{"x", one}})[0].tensor);
      EXPECT_EQ(to_floats(executor.backward({{y, one}}).at(x)), out);
    }
  }
}

}  // namespace
}  // namespace compressor::build

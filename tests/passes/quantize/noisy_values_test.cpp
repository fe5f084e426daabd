// noisy_values: noise at outputs as gradients foresee it and as it is, and which layers stay in float for it.
#include "passes/quantize/integer/noisy_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "builder.h"
#include "compressor/base/random.h"
#include "compressor/engine/executor.h"
#include "compressor/passes/quantize.h"
#include "passes/quantize/ranges/calibrate.h"
#include "passes/quantize/residual.h"

namespace compressor::quantize {
namespace {

using build::Net;
using build::V;
using testing::HasSubstr;

constexpr std::uint64_t kSeed = 11;

/// x -> Conv -> Relu -> depthwise Conv -> Relu -> Conv -> mean -> Gemm; channel 0 of the first is `loud`
/// times as wide as it was, and read by weights that take that back: the function is the same for every
/// `loud`.
Model network(float loud) {
  Net n(kSeed);
  Random random(kSeed);
  const auto numbers = [&](const Dims& dims, float first) {
    std::vector<float> v(num_elements(dims));
    for (std::size_t i = 0; i < v.size(); ++i)
      v[i] = 0.3F * static_cast<float>(random.normal()) * (i < v.size() / 8 ? first : 1);
    return n.constant(Tensor::of(dims, std::span<const float>(v)));
  };
  V x = n.input("x", {1, 3, 8, 8});
  x = n.relu(n.conv_with(x, numbers({8, 3, 3, 3}, loud), nullptr));
  x = n.relu(n.conv_with(x, numbers({8, 1, 3, 3}, 1 / loud), nullptr, {.group = 8}));
  n.output(n.linear(n.gap(n.conv(x, 8, 8)), 8, 5));
  return n.done();
}

std::vector<Tensor> inputs() {
  Random random(kSeed);
  std::vector<Tensor> list;
  for (int i = 0; i < 8; ++i) {
    std::vector<float> x(3 * 64);
    for (float& v : x) v = static_cast<float>(random.normal());
    list.push_back(Tensor::of({1, 3, 8, 8}, std::span<const float>(x)));
  }
  return list;
}

Samples samples_of(const Model& model, const std::vector<Tensor>& list) {
  return [name = model.graph->inputs()[0]->name(), &list](const auto& visit) {
    for (const Tensor& t : list) visit({{name, t}});
  };
}

/// Noise over signal of the outputs.
double noise_of(const Model& a, const Model& b, const std::vector<Tensor>& list) {
  Executor x(a);
  Executor y(b);
  double total = 0;
  for (const Tensor& t : list) {
    const std::string name = a.graph->inputs()[0]->name();
    const auto p = to_doubles(ops::plain(x.run({{name, t}})[0]));
    const auto q = to_doubles(ops::plain(y.run({{name, t}})[0]));
    double noise = 0, signal = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      noise += (p[i] - q[i]) * (p[i] - q[i]);
      signal += p[i] * p[i];
    }
    total += noise / signal;
  }
  return total / static_cast<double>(list.size());
}

PassResult quantize(Model& model, const std::vector<Tensor>& list, double share) {
  Quantize pass;
  pass.mode.set("static");
  pass.noise_share.set(share);
  PassContext context;
  const std::string name = model.graph->inputs()[0]->name();
  context.batches = [&](const std::function<void(const PassContext::Inputs&)>& visit) {
    for (const Tensor& t : list) visit({{name, t}});
  };
  pass.run(model, context);
  model.verify();
  return std::move(context.result);
}

TEST(NoisyValues, GradientsForeseeWhatRoundingOneValueDoes) {
  RecordProperty("seed", static_cast<int>(kSeed));
  for (const Model& model : {network(1), network(100), build::residual()}) {
    const auto list = inputs();
    std::map<const Value*, Affine> grids;
    std::vector<std::string> names;
    for (const Node& node : model.graph->nodes()) {
      if (node.is("Conv")) names.push_back(node.output(0)->name());
    }
    const Calibration seen = calibrate(model, names, samples_of(model, list), "minmax", {}, 0);
    for (const auto& [name, range] : seen.ranges)
      grids[model.graph->find(name)] = affine_of(range.low, range.high, {0, 255});
    constexpr int kDraws = 8;  // one draw of signs is off by some dB
    std::map<std::string, double> expected;
    for (int draw = 0; draw < kDraws; ++draw) {
      const OutputNoise noise = output_noise(model, grids, {0, 255}, samples_of(model, list),
                                             kSeed + static_cast<std::uint64_t>(draw));
      ASSERT_EQ(noise.unknown, "");
      ASSERT_EQ(noise.of.size(), grids.size());
      for (const auto& [name, power] : noise.of) expected[name] += power / kDraws;
    }
    for (const auto& [value, grid] : grids) {
      Model rounded = model.clone();
      Graph& graph = *rounded.graph;
      const Value* v = graph.find(value->name());
      const auto zero = static_cast<double>(grid.zero);
      const V scale = graph.add_initializer("s", Tensor::scalar(grid.scale));
      const V z =
          graph.add_initializer("z", Tensor::of(DType::kUint8, {}, std::span<const double>(&zero, 1)));
      const Node& q =
          graph.add_node({.op = "QuantizeLinear", .inputs = {nullptr, scale, z}, .outputs = {"q"}});
      const Node& dq =
          graph.add_node({.op = "DequantizeLinear", .inputs = {q.output(0), scale, z}, .outputs = {"d"}});
      graph.replace_uses(*v, *dq.output(0));
      graph.set_input(q, 0, v);
      graph.sort();
      const double is = noise_of(model, rounded, list);
      EXPECT_NEAR(10 * std::log10(expected.at(value->name()) / is), 0, 3)
          << value->name() << " seed " << kSeed;
    }
  }
}

TEST(NoisyValues, TheLayersAroundAValueThatDrownsTheOthersStayInFloat) {
  const auto list = inputs();
  const Model model = network(3000);
  Model all = model.clone(), few = model.clone();
  EXPECT_EQ(quantize(all, list, 1).done, 4);
  const PassResult r = quantize(few, list, 0.5);
  std::vector<std::string> left;
  for (const LayerRecord& layer : r.layers) {
    if (layer.action != "skipped") continue;
    left.push_back(layer.op);
    EXPECT_THAT(layer.detail, HasSubstr("is left in float: rounding"));
  }
  EXPECT_THAT(left, testing::ElementsAre("Conv", "Conv"));
  EXPECT_EQ(r.done, 2);
  EXPECT_EQ(r.skipped, 2);
  EXPECT_THAT(r.notes, testing::Contains(HasSubstr("left in float: rounding")));
  EXPECT_LT(noise_of(model, few, list), noise_of(model, all, list) / 10);
}

TEST(NoisyValues, NothingIsLeftWhereNoneIsOutOfLine) {
  const auto list = inputs();
  Model plain = network(1), shortcut = build::residual();
  EXPECT_EQ(quantize(plain, list, 0.5).skipped, 0);
  EXPECT_EQ(quantize(shortcut, list, 0.5).skipped, 0);
}

TEST(NoisyValues, AnOutputThatTellsNothingIsSaid) {
  Net n(kSeed);
  const V x = n.input("x", {1, 3, 8, 8});
  n.output(n.op("ArgMax", {n.conv(n.conv(x, 3, 8), 8, 8)}, {build::attr("axis", std::int64_t{1})}));
  Model model = n.done();
  const PassResult r = quantize(model, inputs(), 0.5);
  EXPECT_EQ(r.done, 2);
  EXPECT_THAT(r.notes, testing::Contains(HasSubstr("is not known: no output of the model is float")));
}

TEST(NoisyValues, WhatIsForeseenIsSaid) {
  const auto list = inputs();
  Model model = network(1);
  const PassResult r = quantize(model, list, 0.5);
  EXPECT_THAT(r.notes, testing::Contains(HasSubstr("rounded activations leave the outputs within")));
  EXPECT_TRUE(r.warnings.empty());
  // Three loud channels one behind the other: taking one value out does not help, and no more may be.
  Net n(kSeed);
  V x = n.input("x", {1, 3, 8, 8});
  x = n.conv(
      n.mul(x, n.constant(Tensor::of({3, 1, 1}, std::span<const float>(std::vector<float>{1e4F, 1, 1})))), 3,
      3, {.group = 3});
  n.output(
      n.conv(n.mul(x, n.constant(Tensor::of({3, 1, 1}, std::span<const float>(std::vector<float>{0, 1, 1})))),
             3, 2));
  Model coarse = n.done();
  EXPECT_THAT(quantize(coarse, list, 0.99).warnings, testing::Contains(HasSubstr("8 bits are coarse")));
}

TEST(NoisyValues, TheSameOutputTwiceIsNoMoreNoise) {
  const auto list = inputs();
  const auto noise_with = [&](int copies) {
    Net n(kSeed);
    const V x = n.conv(n.input("x", {1, 3, 8, 8}), 3, 8);
    const V y = n.conv(x, 8, 4);
    for (int i = 0; i < copies; ++i) n.output(n.op("Identity", {y}));
    const Model model = n.done();
    const std::map<const Value*, Affine> grids{{model.graph->find(x->name()), {.scale = 0.05F, .zero = 128}}};
    return output_noise(model, grids, {0, 255}, samples_of(model, list), kSeed).of.at(x->name());
  };
  EXPECT_NEAR(10 * std::log10(noise_with(4) / noise_with(1)), 0, 2) << "seed " << kSeed;
}

TEST(NoisyValues, GradientsEndAtOtherTypes) {
  Net n(kSeed);
  V x = n.conv(n.input("x", {1, 3, 8, 8}), 3, 8);
  x = n.op("Cast", {n.relu(n.op("Cast", {x}, {build::attr("to", std::int64_t{10})}))},
           {build::attr("to", std::int64_t{1})});
  n.output(n.conv(x, 8, 4));
  Model model = n.done();
  const PassResult r = quantize(model, inputs(), 0.5);
  EXPECT_EQ(r.done, 2);
  EXPECT_THAT(r.notes, testing::Contains(HasSubstr("is float16, and gradients go through float32 only")));
}

TEST(NoisyValues, OutputsWithoutAGradientDoNotHideTheOthers) {
  Net n(kSeed);
  const V x = n.input("x", {1, 3, 8, 8});
  const V y = n.conv(n.conv(x, 3, 8), 8, 8);
  n.output(y);
  const V state = n.weight({4, 512});
  const V row = n.constant(Tensor::of({1, 1}, std::span<const std::int64_t>(std::vector<std::int64_t>{2})));
  n.output(n.op("ScatterND", {state, row, n.op("Reshape", {y, n.ints({1, 512})})},
                {build::attr("reduction", "mul")}));
  const Model model = n.done();
  std::map<const Value*, Affine> grids;
  for (const Node& node : model.graph->nodes()) {
    if (node.is("Conv")) grids[node.input(0)] = {.scale = 0.05F, .zero = 128};
  }
  const auto list = inputs();
  const OutputNoise noise = output_noise(model, grids, {0, 255}, samples_of(model, list), kSeed);
  EXPECT_EQ(noise.unknown, "");
  EXPECT_EQ(noise.of.size(), 2U);
  for (const auto& [name, power] : noise.of) EXPECT_GT(power, 0) << name;
}

}  // namespace
}  // namespace compressor::quantize

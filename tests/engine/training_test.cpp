// The tape: what it keeps, what it runs again, and whether a few steps of it train a net.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <iostream>

#include "builder.h"
#include "compressor/kernels/memory.h"
#include "compressor/onnx/load.h"
#include "engine/training_net.h"

namespace compressor::build {
namespace {

Tensor normal(const Dims& dims, Random& random) {
  std::vector<float> values(num_elements(dims));
  for (float& v : values) v = static_cast<float>(random.normal());
  return Tensor::of(dims, std::span<const float>(values));
}

/// `depth` residual blocks of conv, norm, relu on [8, 16, 24, 24], with random numbers in between.
Model deep_net(std::int64_t depth, bool random) {
  Net net;
  V x = net.cbr(net.input("x", {8, 3, 24, 24}), 3, 16);
  for (std::int64_t i = 0; i < depth; ++i) {
    V y = net.relu(net.bn(net.conv(x, 16, 16), 16));
    if (random && i % 2 == 0) {
      const V yes = net.constant(Tensor::of(DType::kBool, {}, std::vector<double>{1}));
      y = net.op("Dropout", {y, net.number(0.25F), yes});
    }
    if (random && i % 2 == 1) {
      y = net.mul(y, net.op("RandomUniform", {}, {attr("shape", Ints{8, 16, 1, 1}), attr("low", 0.5F)}));
    }
    x = net.add(x, y);
  }
  net.output(net.linear(net.gap(x), 16, 5));
  return net.done();
}

struct Step {
  std::vector<float> output;
  std::map<std::string, std::vector<float>> gradients, statistics;
  std::uint64_t peak = 0;
};

/// One forward and backward pass in a fresh executor; the gradients' bits.
Step step_of(const Model& model, int stretches) {
  ExecutorOptions options;
  options.training = true;
  options.batch_statistics = true;
  options.parameters = trainable(model);
  options.stretches = stretches;
  std::vector<const Value*> statistics;
  for (const Node& node : model.graph->nodes()) {
    if (!node.is("BatchNormalization")) continue;
    for (const std::size_t i : {3U, 4U}) {
      options.parameters.push_back(node.input(i));
      statistics.push_back(node.input(i));
    }
  }
  Executor executor(model, options);
  Random random(17);
  const Executor::Feeds feeds{{"x", normal({8, 3, 24, 24}, random)}};
  kernels::reset_peak();
  const std::uint64_t before = kernels::memory_use().live;
  const Tensor y = executor.run(feeds)[0].tensor;
  const auto gradients = executor.backward({{model.graph->outputs()[0], normal(y.shape, random)}});
  Step step;
  step.peak = kernels::memory_use().peak - before;
  step.output = to_floats(y);
  for (const auto& [value, g] : gradients) step.gradients[value->name()] = to_floats(g);
  for (const Value* v : statistics) {
    const auto s = executor.parameter(*v);
    step.statistics[v->name()].assign(s.begin(), s.end());
  }
  return step;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void expect_same(const Step& a, const Step& b) {
  EXPECT_TRUE(same_bits(a.output, b.output));
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (const auto& [name, g] : a.gradients) EXPECT_TRUE(same_bits(g, b.gradients.at(name))) << name;
  for (const auto& [name, s] : a.statistics) EXPECT_TRUE(same_bits(s, b.statistics.at(name))) << name;
}

TEST(Checkpoints, GiveTheSameBitsAndMoveStatisticsOnce) {
  std::cout << "seed 17\n";
  const Model model = deep_net(6, false);
  const Step all = step_of(model, 0);
  for (const int stretches : {2, 3, 7, 1000}) {
    SCOPED_TRACE(stretches);
    expect_same(all, step_of(model, stretches));
  }
  // They did move.
  for (const Node& node : model.graph->nodes()) {
    if (!node.is("BatchNormalization")) continue;
    EXPECT_FALSE(
        same_bits(all.statistics.at(node.input(3)->name()), to_floats(*node.input(3)->initializer())));
  }
}

TEST(Checkpoints, RepeatRandomNumbers) {
  std::cout << "seed 17\n";
  const Model model = deep_net(6, true);
  const Step all = step_of(model, 0);
  for (const int stretches : {2, 5}) {
    SCOPED_TRACE(stretches);
    expect_same(all, step_of(model, stretches));
  }
}

TEST(Checkpoints, TakeLessMemory) {
  if (kernels::memory_use().peak == 0) {
    const kernels::Buffer probe(1 << 20);
    if (kernels::memory_use().live == 0) GTEST_SKIP() << "the heap does not count here (sanitizer)";
  }
  const Model model = deep_net(24, false);
  const Step all = step_of(model, 0);
  const Step few = step_of(model, 5);
  const double activation = 8 * 16 * 24 * 24 * sizeof(float);
  std::cout << "peak " << static_cast<double>(all.peak) / activation << " activations, with checkpoints "
            << static_cast<double>(few.peak) / activation << "\n";
  EXPECT_LT(static_cast<double>(few.peak), 0.5 * static_cast<double>(all.peak));
  // Of a block Conv keeps x, BatchNormalization keeps Conv's output, Relu keeps its own: three, and no more.
  EXPECT_LT(static_cast<double>(all.peak), (3 * 24 + 12) * activation);
}

/// Gradients of what nothing reads again are freed on the way: without keeping there is no way back.
TEST(Checkpoints, InferenceKeepsNothing) {
  const Model model = deep_net(24, false);
  Executor executor(model, {.fuse = false});
  Random random(17);
  const Executor::Feeds feeds{{"x", normal({8, 3, 24, 24}, random)}};
  executor.run(feeds);
  kernels::reset_peak();
  const std::uint64_t before = kernels::memory_use().live;
  executor.run(feeds);
  const double activation = 8 * 16 * 24 * 24 * sizeof(float);
  EXPECT_LT(static_cast<double>(kernels::memory_use().peak - before), 5 * activation);
}

/// Steps of gradient descent on one batch lower its loss.
void expect_to_learn(const Model& model, const std::string& input, const Dims& shape, int stretches) {
  constexpr std::uint64_t kSeed = 23;
  std::cout << "seed " << kSeed << "\n";
  ExecutorOptions options;
  options.training = true;
  options.batch_statistics = true;
  options.parameters = trainable(model);
  options.stretches = stretches;
  Executor executor(model, options);
  Random random(kSeed);
  const Executor::Feeds feeds{{input, normal(shape, random)}};
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < shape[0]; ++i)
    labels.push_back(static_cast<std::int64_t>(random.uniform() * 10));
  std::vector<double> losses;
  for (int step = 0; step < 8; ++step) {
    const Loss loss = cross_entropy(executor.run(feeds)[0].tensor, labels);
    losses.push_back(loss.value);
    const auto gradients = executor.backward({{model.graph->outputs()[0], loss.gradient}});
    for (const Value* v : options.parameters) {
      const std::vector<float> g = to_floats(gradients.at(v));
      auto w = executor.parameter(*v);
      for (std::size_t i = 0; i < w.size(); ++i) w[i] -= 0.02F * g[i];
    }
  }
  EXPECT_LT(losses.back(), 0.6 * losses.front());
  for (const double loss : losses) EXPECT_TRUE(std::isfinite(loss));
}

TEST(Training, LowersTheLossOfResNet8) {
  const std::filesystem::path path =
      std::filesystem::path(COMPRESSOR_SOURCE_DIR) / "models/resnet8_fashion.onnx";
  expect_to_learn(load_model(path.string()), "image", {16, 1, 28, 28}, 0);
  expect_to_learn(load_model(path.string()), "image", {16, 1, 28, 28}, 4);
}

TEST(Training, LowersTheLossOfResNet20) {
  const char* given = std::getenv("COMPRESSOR_MODELS");
  const std::filesystem::path folder =
      given ? std::filesystem::path(given)
            : std::filesystem::path(COMPRESSOR_SOURCE_DIR) / "../shared/models";
  const std::filesystem::path path = folder / "cifar10_resnet20.onnx";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  expect_to_learn(load_model(path.string()), "x", {16, 3, 32, 32}, 0);
}

}  // namespace
}  // namespace compressor::build

// Normalisation in the engine against the portable kernels.
#include "engine/run_rules.h"

namespace compressor::build {
namespace {

TEST(BatchNormRun, IsAsPortable) {
  for (const Dims& x : {Dims{2, 3, 5, 7}, Dims{3, 40, 9, 9}, Dims{1, 4, 300, 10}, Dims{5, 6}, Dims{2, 33, 20},
                        Dims{2, 4, 3, 4, 5}}) {
    for (const bool channels_last : {false, true}) {
      if (channels_last && x.size() < 3) continue;
      Net net;
      V v = maybe_convolved(net, x, channels_last);
      net.output(net.relu(net.bn(net.relu(v), x[1])));  // a relu keeps it apart from the convolution
      expect_fast_as_portable(net.done());
    }
  }
}

TEST(BatchNormRun, TakesTheBatchsStatistics) {
  for (const Dims& x : {Dims{2, 3, 5, 7}, Dims{8, 20, 30, 30}, Dims{64, 6}}) {
    Net net(15);
    const auto y = net.ops("BatchNormalization",
                           {net.input("x", x), net.positive({x[1]}), net.weight({x[1]}), net.weight({x[1]}),
                            net.positive({x[1]})},
                           3, {attr("training_mode", std::int64_t{1}), attr("momentum", 0.7F)});
    for (V v : y) net.output(v);
    expect_fast_as_portable(net.done(), {.tolerance = 1e-4, .low = 10, .high = 11});
  }
}

TEST(BatchNormRun, BeforeOpset14GivesTheStatisticsItWasGiven) {
  Net net(9);
  const auto y = net.ops(
      "BatchNormalization",
      {net.input("x", {2, 3, 4, 4}), net.positive({3}), net.weight({3}), net.weight({3}), net.positive({3})},
      5);
  for (V v : y) net.output(v);
  expect_fast_as_portable(net.done());
}

TEST(BatchNormRun, MovesRunningStatistics) {
  Net net;
  V x = net.input("x", {4, 2, 3, 3});
  V mean = net.weight({2});
  V variance = net.positive({2});
  net.output(net.op("BatchNormalization", {x, net.positive({2}), net.weight({2}), mean, variance},
                    {attr("momentum", 0.75F)}));
  const Model model = net.done();
  const RunCheck check;
  const Executor::Feeds feeds = feeds_of(model, check);
  const std::vector<float> numbers = to_floats(feeds.at("x").tensor);
  ExecutorOptions options;
  options.training = true;
  options.batch_statistics = true;
  Executor executor(model, options);
  executor.run(feeds);
  for (std::size_t c = 0; c < 2; ++c) {
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (i / 9 % 2 == c) sum += static_cast<double>(numbers[i]) / 36;
    }
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const double d = static_cast<double>(numbers[i]) - sum;
      if (i / 9 % 2 == c) squares += d * d / 36;
    }
    const double old_mean = to_floats(*mean->initializer())[c];
    const double old_variance = to_floats(*variance->initializer())[c];
    EXPECT_NEAR(executor.parameter(*mean)[c], 0.75 * old_mean + 0.25 * sum, 1e-5);
    EXPECT_NEAR(executor.parameter(*variance)[c], 0.75 * old_variance + 0.25 * squares, 1e-5);
  }
}

TEST(LayerNormRun, IsAsPortable) {
  struct Case {
    Dims x;
    std::int64_t axis;
    Dims scale;
  };
  for (const Case& c : {Case{{2, 7, 33}, -1, {33}}, Case{{2, 7, 33}, 1, {7, 33}}, Case{{200, 768}, -1, {768}},
                        Case{{3, 5}, 0, {3, 5}}, Case{{2, 7, 33}, 1, {33}}, Case{{2, 4, 3}, -1, {1, 1, 3}}}) {
    for (const bool bias : {false, true}) {
      Net net;
      std::vector<V> inputs{net.input("x", c.x), net.weight(c.scale)};
      if (bias) inputs.push_back(net.weight(c.scale));
      const auto y = net.ops("LayerNormalization", inputs, 3, {attr("axis", c.axis)});
      for (V v : y) net.output(v);
      expect_fast_as_portable(net.done());
    }
  }
}

TEST(LayerNormRun, RmsIsAsPortable) {
  Net net(23);
  net.output(net.op("RMSNormalization", {net.input("x", {3, 50, 65}), net.weight({65})}));
  expect_fast_as_portable(net.done());
}

TEST(SkipNormRun, IsAsPortable) {
  for (const bool simplified : {false, true}) {
    for (const bool bias : {false, true}) {
      Net net;
      Model model;
      std::vector<V> inputs{net.input("x", {2, 9, 40}), net.input("skip", {2, 9, 40}), net.weight({40})};
      if (!simplified) inputs.push_back(net.weight({40}));
      if (bias) inputs.push_back(net.weight({40}));
      NodeSpec spec;
      spec.op = simplified ? "SkipSimplifiedLayerNormalization" : "SkipLayerNormalization";
      spec.domain = "com.microsoft";
      spec.inputs = inputs;
      spec.outputs = {"y", "mean", "inverse", "sum"};
      const Node& node = net.graph().add_node(std::move(spec));
      net.output(node.outputs()[0]);
      net.output(node.outputs()[3]);
      model = net.done();
      model.opsets.push_back({.domain = "com.microsoft", .version = 1});
      expect_fast_as_portable(model);
    }
  }
}

TEST(GroupNormRun, IsAsPortable) {
  for (const Dims& x : {Dims{2, 6, 5, 7}, Dims{1, 64, 30, 30}, Dims{3, 12, 40}}) {
    for (const bool channels_last : {false, true}) {
      Net instance;
      instance.output(instance.op(
          "InstanceNormalization",
          {maybe_convolved(instance, x, channels_last), instance.weight({x[1]}), instance.weight({x[1]})}));
      expect_fast_as_portable(instance.done());
      for (const std::int64_t opset : {18, 21}) {
        const std::int64_t n = opset < 21 ? 2 : x[1];
        Net group(opset);
        group.output(
            group.op("GroupNormalization",
                     {maybe_convolved(group, x, channels_last), group.weight({n}), group.weight({n})},
                     {attr("num_groups", std::int64_t{2})}));
        expect_fast_as_portable(group.done());
      }
    }
  }
}

}  // namespace
}  // namespace compressor::build

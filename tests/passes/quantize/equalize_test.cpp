// equalize_test: factors between layers change nothing in float, narrow what they should, and stay away from
// what is not homogeneous.
#include "passes/quantize/channels/equalize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "builder.h"
#include "compressor/engine/executor.h"
#include "compressor/passes/quantize.h"
#include "passes/quantize/channels/prepare_channels.h"
#include "passes/quantize/normal_feeds.h"

namespace compressor::quantize {
namespace {

using build::attr;
using build::Ints;
using build::Net;
using build::V;

constexpr std::uint64_t kSeed = 11;

Look look_at(const std::vector<Executor::Feeds>& list) {
  return [&list](const Model& model) { return see_channels(model, {}, samples_of(list)); };
}

/// Largest difference over the largest number of the outputs.
double difference(const Model& a, const Model& b) {
  Executor x(a), y(b);
  double worst = 0, largest = 0;
  for (const Executor::Feeds& feeds : normal_feeds(a, 3, kSeed)) {
    const auto p = x.run(feeds), q = y.run(feeds);
    for (std::size_t o = 0; o < p.size(); ++o) {
      const auto u = to_doubles(p[o].tensor), v = to_doubles(q[o].tensor);
      for (std::size_t i = 0; i < u.size(); ++i) {
        worst = std::max(worst, std::abs(u[i] - v[i]));
        largest = std::max(largest, std::abs(u[i]));
      }
    }
  }
  return worst / largest;
}

/// A weight whose output channels differ in size by up to 100.
V uneven(Net& net, const Dims& dims, double most = 100) {
  std::vector<float> values = to_floats(*net.weight(dims)->initializer());
  const std::size_t row = values.size() / static_cast<std::size_t>(dims[0]);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] *= static_cast<float>(std::pow(most, static_cast<double>(i / row % 5) / 4 - 0.5));
  return net.constant(Tensor::of(dims, std::span<const float>(values)));
}

struct Outcome {
  Model model;
  PassResult result;
  std::int64_t layers = 0;  ///< "equalized"
};

Outcome equalized(const Model& before, const std::string& rule,
                  const std::vector<std::string>& exclude = {}) {
  Outcome out{.model = before.clone(), .result = {}};
  const auto data = normal_feeds(before, 3, kSeed);
  PassContext context;
  context.filter = NodeFilter({}, exclude);
  scale_channels(out.model, {.equalize = rule, .smooth = {}}, look_at(data), context);
  out.model.verify();
  out.result = std::move(context.result);
  for (const LayerRecord& layer : out.result.layers) out.layers += layer.action == "equalized";
  return out;
}

/// Whether both rules keep the outputs of a network of one body, and how many readers they reach.
void expect_exact(const std::function<V(Net&, V)>& body, std::int64_t layers, std::int64_t opset = 17) {
  Net net(opset);
  const V x = net.input("x", {2, 4, 8, 8});
  const V a = net.conv_with(x, uneven(net, {8, 4, 3, 3}), net.weight({8}));
  const V y = body(net, a);
  net.output(net.conv(y, 8, 4));
  const Model before = net.done();
  for (const char* rule : {"weights", "activations"}) {
    const Outcome after = equalized(before, rule);
    EXPECT_LT(difference(before, after.model), 1e-5) << rule;
    // Activations are only scaled where that is worth it.
    EXPECT_LE(after.layers, layers) << rule;
    const bool always = rule == std::string("weights");
    EXPECT_TRUE(!always || after.layers == layers) << after.layers << ", expected " << layers;
  }
}

TEST(Equalize, ThroughActivationFunctions) {
  expect_exact([](Net&, V x) { return x; }, 1);
  expect_exact([](Net& n, V x) { return n.relu(x); }, 1);
  expect_exact([](Net& n, V x) { return n.op("LeakyRelu", {x}, {attr("alpha", 0.2F)}); }, 1);
  expect_exact([](Net& n, V x) { return n.op("PRelu", {x, n.positive({8, 1, 1})}); }, 1);
  expect_exact([](Net& n, V x) { return n.op("Clip", {x, n.number(0)}); }, 1);
}

TEST(Equalize, ThroughWhatMovesElements) {
  expect_exact([](Net& n, V x) { return n.op("MaxPool", {x}, {attr("kernel_shape", Ints{2, 2})}); }, 1);
  expect_exact([](Net& n, V x) { return n.resize2(x); }, 1);
  expect_exact([](Net& n, V x) { return n.op("Pad", {x, n.ints({0, 0, 1, 1, 0, 0, 1, 1})}); }, 1);
  expect_exact([](Net& n, V x) { return n.transpose(n.transpose(x, {0, 2, 3, 1}), {0, 3, 1, 2}); }, 1);
  expect_exact(
      [](Net& n, V x) {
        const auto parts = n.split(x, {3, 5});
        return n.concat({n.relu(parts[0]), n.slice(x, 3, 8, 1)});
      },
      1);
}

TEST(Equalize, ThroughSumsAndConstants) {
  expect_exact([](Net& n, V x) { return n.add(x, n.relu(n.conv(x, 8, 8))); }, 2);
  expect_exact([](Net& n, V x) { return n.add(x, n.weight({8, 1, 1})); }, 1);
  expect_exact([](Net& n, V x) { return n.add(n.number(0.7F), x); }, 1);
  expect_exact([](Net& n, V x) { return n.add(x, n.weight({8, 8})); }, 1);
  expect_exact([](Net& n, V x) { return n.mul(x, n.number(3)); }, 1);
  expect_exact([](Net& n, V x) { return n.bn(x, 8); }, 2);
  expect_exact([](Net& n, V x) { return n.mul(x, n.positive({1, 8, 1, 1})); }, 2);
}

TEST(Equalize, ThroughDepthwiseGroupedAndTransposed) {
  expect_exact([](Net& n, V x) { return n.relu(n.conv(x, 8, 8, {.group = 8, .bias = true})); }, 2);
  expect_exact([](Net& n, V x) { return n.relu(n.conv(x, 8, 8, {.group = 2, .bias = true})); }, 2);
  expect_exact([](Net& n, V x) { return n.conv_transpose(x, 8, 8, 2); }, 2);
}

// A gate scales what passes it; it is no part of the factor itself.
TEST(Equalize, AGatePassesAndStays) {
  expect_exact(
      [](Net& n, V x) {
        const V gate = n.sigmoid(n.conv1x1(n.op("GlobalAveragePool", {x}), 8, 8));
        return n.mul(x, gate);
      },
      2);
}

TEST(Equalize, AFlattenedHeadKnowsItsChannels) {
  Net net;
  const V x = net.conv_with(net.input("x", {2, 4, 4, 4}), uneven(net, {6, 4, 3, 3}), nullptr);
  net.output(net.linear(net.op("Flatten", {net.relu(x)}), 96, 5));
  const Model before = net.done();
  const Outcome after = equalized(before, "weights");
  EXPECT_EQ(after.layers, 1);
  EXPECT_LT(difference(before, after.model), 1e-5);
}

TEST(Equalize, StaysAwayFromWhatIsNotHomogeneous) {
  expect_exact([](Net& n, V x) { return n.sigmoid(x); }, 0);
  expect_exact([](Net& n, V x) { return n.mul(x, n.sigmoid(x)); }, 0);
  expect_exact([](Net& n, V x) { return n.mul(x, x); }, 0);
  expect_exact([](Net& n, V x) { return n.op("Clip", {x, n.number(0), n.number(6)}); }, 0);
  expect_exact([](Net& n, V x) { return n.op("Clip", {x, n.number(-1)}); }, 0);
  expect_exact([](Net& n, V x) { return n.add(x, n.sigmoid(x)); }, 0);
  expect_exact(
      [](Net& n, V x) {
        return n.op("Pad", {x, n.ints({0, 0, 1, 1, 0, 0, 1, 1}), n.number(2)});
      },
      0);
}

TEST(Equalize, OutputsAndNodesLeftOutStay) {
  Net net;
  const V a = net.relu(net.conv_with(net.input("x", {1, 4, 8, 8}), uneven(net, {8, 4, 3, 3}), nullptr));
  net.output(a);
  const V b = net.relu(net.conv_with(a, uneven(net, {8, 8, 3, 3}), nullptr));
  net.output(net.conv(b, 8, 4));
  const Model before = net.done();
  const Outcome after = equalized(before, "weights");
  EXPECT_EQ(after.layers, 1);
  EXPECT_LT(difference(before, after.model), 1e-5);
  EXPECT_THAT(after.result.layers[0].detail, testing::HasSubstr("an output of the model"));
  EXPECT_EQ(equalized(before, "weights", {"op:Conv"}).layers, 0);
}

TEST(Equalize, ASharedWeightIsNotTorn) {
  Net net;
  const V w = uneven(net, {4, 4, 3, 3});
  V x = net.relu(net.conv_with(net.input("x", {1, 4, 8, 8}), w, nullptr));
  x = net.relu(net.conv_with(x, w, nullptr));
  net.output(net.conv(x, 4, 4));
  const Model before = net.done();
  const Outcome after = equalized(before, "weights");
  EXPECT_LT(difference(before, after.model), 1e-5);
}

/// Largest over smallest of what the rows of the first weight span.
double spread(const Tensor& w) {
  const std::vector<float> all = to_floats(w);
  const std::size_t row = all.size() / static_cast<std::size_t>(w.shape[0]);
  double low = HUGE_VAL, high = 0;
  for (std::size_t i = 0; i < all.size(); i += row) {
    double span = 0;
    for (std::size_t j = 0; j < row; ++j) span = std::max(span, std::abs(static_cast<double>(all[i + j])));
    low = std::min(low, span);
    high = std::max(high, span);
  }
  return high / low;
}

TEST(Equalize, WeightsSpanTheSameAfterwards) {
  Net net;
  const V w = uneven(net, {10, 4, 3, 3});
  net.output(net.conv(net.relu(net.conv_with(net.input("x", {1, 4, 8, 8}), w, nullptr)), 10, 4));
  const Model before = net.done();
  const Outcome after = equalized(before, "weights");
  const auto first = [](const Model& m) { return *m.graph->nodes().front().input(1)->initializer(); };
  EXPECT_GT(spread(first(before)), 50);
  EXPECT_LT(spread(first(after.model)), 20);  // sqrt(r1 r2), with r2 as even as normal numbers are
}

/// Power of the error over the power of the outputs, of a statically quantized net.
double noise(const Model& before, const std::string& equalize) {
  Model after = before.clone();
  const auto data = normal_feeds(before, 4, kSeed);
  Quantize pass;
  pass.mode.set("static");
  pass.equalize.set(equalize);
  PassContext context;
  context.batches = [&](const std::function<void(const PassContext::Inputs&)>& visit) {
    for (const Executor::Feeds& feeds : data) {
      PassContext::Inputs inputs;
      for (const auto& [name, value] : feeds) inputs[name] = value.tensor;
      visit(inputs);
    }
  };
  pass.run(after, context);
  Executor x(before), y(after);
  double error = 0, power = 0;
  for (const Executor::Feeds& feeds : data) {
    const auto u = to_doubles(x.run(feeds)[0].tensor), v = to_doubles(y.run(feeds)[0].tensor);
    for (std::size_t i = 0; i < u.size(); ++i) {
      error += (u[i] - v[i]) * (u[i] - v[i]);
      power += u[i] * u[i];
    }
  }
  return error / power;
}

// Channels of very different widths in front of a depthwise convolution: one scale for all of them leaves the
// narrow ones without codes.
TEST(Equalize, NarrowChannelsGetCodes) {
  Net net;
  V x = net.relu(
      net.conv_with(net.input("x", {2, 4, 8, 8}), uneven(net, {10, 4, 3, 3}), net.weight({10}, 0.1)));
  x = net.conv_with(x, uneven(net, {10, 1, 3, 3}, 0.01), nullptr, {.group = 10});
  const V mean = net.op("GlobalAveragePool", {x});  // outputs by channel: each counts alike
  net.output(net.op("InstanceNormalization", {x, net.positive({10}), net.weight({10})}));
  net.output(mean);
  const Model before = net.done();
  EXPECT_LT(noise(before, "activations"), 0.5 * noise(before, "none")) << "seed " << kSeed;
}

TEST(Smooth, BetweenNormsAndProducts) {
  Net net;
  V x = net.input("x", {2, 6, 16});
  const V gamma = uneven(net, {16});
  x = net.op("LayerNormalization", {x, gamma, net.weight({16})}, {attr("axis", std::int64_t{-1})});
  const V y = net.relu(net.dense(x, 16, 12));
  net.output(net.add(net.matmul(y, net.weight({12, 8})), net.matmul(x, net.weight({16, 8}))));
  const Model before = net.done();
  const auto data = normal_feeds(before, 3, kSeed);
  Model after = before.clone();
  PassContext context;
  scale_channels(after, {.equalize = "none", .smooth = 0.5}, look_at(data), context);
  EXPECT_LT(difference(before, after), 1e-5);
  std::int64_t layers = 0;
  for (const LayerRecord& layer : context.result.layers) layers += layer.action == "equalized";
  EXPECT_EQ(layers, 3);
  const ChannelsSeen was = see_channels(before, {}, samples_of(data));
  const ChannelsSeen is = see_channels(after, {}, samples_of(data));
  const auto ratio = [](const std::vector<float>& v) {
    return *std::max_element(v.begin(), v.end()) / *std::min_element(v.begin(), v.end());
  };
  EXPECT_LT(ratio(is.at(x->name()).largest), 0.5F * ratio(was.at(x->name()).largest));
}

TEST(Smooth, ConvolutionsAreNotItsBusiness) {
  Net net;
  const V a = net.relu(net.conv_with(net.input("x", {2, 4, 8, 8}), uneven(net, {8, 4, 3, 3}), nullptr));
  net.output(net.conv(a, 8, 4));
  const Model before = net.done();
  const auto data = normal_feeds(before, 2, kSeed);
  Model after = before.clone();
  PassContext context;
  scale_channels(after, {.equalize = "none", .smooth = 0.5}, look_at(data), context);
  for (const LayerRecord& layer : context.result.layers) EXPECT_EQ(layer.action, "not equalized");
}

}  // namespace
}  // namespace compressor::quantize

// high_biases_test: what channels always hold moves behind Relu by value, stays where it must, and leaves
// codes for the rest; bounds of Clip go where nothing reaches them.
#include "passes/quantize/channels/high_biases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "builder.h"
#include "compressor/base/error.h"
#include "compressor/engine/executor.h"
#include "compressor/passes/quantize.h"
#include "passes/quantize/channels/clip_to_relu.h"
#include "passes/quantize/normal_feeds.h"

namespace compressor::quantize {
namespace {

using build::attr;
using build::Ints;
using build::Net;
using build::V;
using testing::HasSubstr;

constexpr std::uint64_t kSeed = 9;

/// Power of the difference of the outputs over the power of `a`'s variation.
double noise(const Model& a, const Model& b) {
  Executor x(a), y(b);
  double error = 0, sum = 0, squares = 0, n = 0;
  for (std::uint64_t i = 0; i < 3; ++i) {
    const Executor::Feeds feeds = normal_feeds(a, 1, kSeed + i)[0];
    const auto u = to_doubles(x.run(feeds)[0].tensor), v = to_doubles(y.run(feeds)[0].tensor);
    for (std::size_t j = 0; j < u.size(); ++j) {
      error += (u[j] - v[j]) * (u[j] - v[j]);
      sum += u[j];
      squares += u[j] * u[j];
      ++n;
    }
  }
  return error / (squares - sum * sum / n);
}

/// Channels 0, 2, .. stay near `high`, the others near 0.
V biases(Net& net, std::int64_t n, float high) {
  std::vector<float> values(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < values.size(); i += 2) values[i] = high + static_cast<float>(i);
  return net.constant(Tensor::of({n}, std::span<const float>(values)));
}

/// z = small W x + biases -> act -> reader; moments as they are: deviation far below 1.
struct Case {
  Model before, after;
  Moments moments;
  std::int64_t channels = 0;
  PassResult result;
  std::string z;
};

Case absorbed(const std::function<V(Net&, V)>& act, const std::function<V(Net&, V)>& reader) {
  Net net(13);
  const V x = net.input("x", {2, 3, 8, 8});
  const V z = net.conv_with(x, net.weight({8, 3, 3, 3}, 0.02), biases(net, 8, 5));
  Case c;
  c.z = z->name();
  net.output(reader(net, act(net, z)));
  c.before = net.done();
  c.after = c.before.clone();
  ChannelMoments& m = c.moments[c.z];
  for (std::size_t i = 0; i < 8; ++i) {
    m.mean.push_back(i % 2 == 0 ? 5 + static_cast<double>(i) : 0);
    m.variance.push_back(0.04);
    m.low.push_back(m.mean.back() - 1.2);
    m.high.push_back(m.mean.back() + 1.2);
  }
  PassContext context;
  c.channels = absorb_high_biases(c.after, levels_of(c.moments), c.moments, context);
  c.after.verify();
  c.result = std::move(context.result);
  return c;
}

V relu(Net& n, V x) {
  return n.relu(x);
}
V pointwise(Net& n, V x) {
  return n.conv(x, 8, 6, {.kernel = 1, .bias = true});
}

TEST(HighBiases, MoveBehindReluByValue) {
  const std::vector<std::function<V(Net&, V)>> readers = {
      pointwise,
      [](Net& n, V x) { return n.conv(x, 8, 6, {.kernel = 1}); },
      [](Net& n, V x) { return n.conv(x, 8, 4, {.kernel = 3, .bias = true, .pad = 0}); },
      [](Net& n, V x) { return n.conv(x, 8, 16, {.kernel = 3, .group = 8, .pad = 0}); },
      [](Net& n, V x) { return n.conv(x, 8, 8, {.kernel = 3, .group = 2, .bias = true, .pad = 0}); },
      [](Net& n, V x) {
        return n.add(n.conv(x, 8, 4, {.kernel = 1}), n.conv(x, 8, 4, {.kernel = 1, .bias = true}));
      },
  };
  for (const auto& reader : readers) {
    const Case c = absorbed(relu, reader);
    EXPECT_EQ(c.channels, 4) << "seed " << kSeed;
    EXPECT_LT(noise(c.before, c.after), 1e-9);
    EXPECT_NEAR(c.moments.at(c.z).mean[2], 0.6, 1e-6);  // three deviations are left
    EXPECT_EQ(c.moments.at(c.z).mean[1], 0);
    const auto bias = to_floats(*c.after.graph->nodes().front().input(2)->initializer());
    EXPECT_NEAR(bias[0], 0.6, 1e-5);
    EXPECT_EQ(bias[1], 0);
  }
  EXPECT_LT(noise(absorbed(
                      [](Net& n, V x) {
                        return n.op("PRelu", {x, n.positive({8, 1, 1})});
                      },
                      pointwise)
                      .before,
                  absorbed(
                      [](Net& n, V x) {
                        return n.op("PRelu", {x, n.positive({8, 1, 1})});
                      },
                      pointwise)
                      .after),
            1e-9);
}

TEST(HighBiases, MoveIntoGemm) {
  for (const std::int64_t transposed : {0, 1}) {
    Net net(13);
    const V x = net.input("x", {4, 6});
    const V z = net.op("Gemm", {x, net.weight({6, 5}, 0.02), biases(net, 5, 3)});
    const V w = transposed != 0 ? net.weight({7, 5}) : net.weight({5, 7});
    net.output(net.op("Gemm", {net.relu(z), w}, {attr("transB", transposed)}));
    Moments moments;
    for (std::size_t i = 0; i < 5; ++i) {
      ChannelMoments& m = moments[z->name()];
      m.mean.push_back(i % 2 == 0 ? 3 + static_cast<double>(i) : 0);
      m.variance.push_back(0.01);
      m.low.push_back(m.mean.back() - 0.6);
      m.high.push_back(m.mean.back() + 0.6);
    }
    const Model before = net.done();
    Model after = before.clone();
    PassContext context;
    EXPECT_EQ(absorb_high_biases(after, levels_of(moments), moments, context), 3);
    EXPECT_LT(noise(before, after), 1e-9) << "transB " << transposed << ", seed " << kSeed;
  }
}

TEST(HighBiases, StayWhereTheyWouldNotHold) {
  const auto expect_kept = [](const std::function<V(Net&, V)>& act, const std::function<V(Net&, V)>& reader,
                              const std::string& why) {
    const Case c = absorbed(act, reader);
    EXPECT_EQ(c.channels, 0) << why;
    EXPECT_EQ(noise(c.before, c.after), 0);
    if (why.empty()) {
      EXPECT_TRUE(c.result.layers.empty());
      return;
    }
    ASSERT_EQ(c.result.layers.size(), 1);
    EXPECT_EQ(c.result.layers[0].action, "bias not absorbed");
    EXPECT_THAT(c.result.layers[0].detail, HasSubstr(why));
  };
  expect_kept(
      relu, [](Net& n, V x) { return n.conv(x, 8, 6); }, "pads it with zeros");
  expect_kept(
      relu, [](Net&, V x) { return x; }, "an output of the model");
  expect_kept(
      relu, [](Net& n, V x) { return n.sigmoid(x); }, "(Sigmoid) reads it");
  expect_kept(
      relu, [](Net& n, V x) { return n.add(n.conv(x, 8, 8, {.kernel = 1}), n.op("GlobalAveragePool", {x})); },
      "reads it");
  expect_kept(
      [](Net& n, V x) {
        return n.op("Clip", {x, n.number(0), n.number(6)});
      },
      pointwise, "bounded by 6");
  expect_kept([](Net& n, V x) { return n.sigmoid(x); }, pointwise, "");
}

Model high_net(const std::function<V(Net&, V)>& act) {
  Net net(13);
  V x = net.input("x", {1, 3, 8, 8});
  x = net.conv(x, 3, 8);
  std::vector<float> gamma(8, 1), beta(8, 30), mean(8, 0), variance(8, 4);
  const auto vector = [&](const std::vector<float>& v) {
    return net.constant(Tensor::of({8}, std::span<const float>(v)));
  };
  x = net.op("BatchNormalization", {x, vector(gamma), vector(beta), vector(mean), vector(variance)});
  x = net.conv(act(net, x), 8, 8, {.kernel = 1});
  net.output(x);
  return net.done();
}

Model quantized(const Model& before, const std::function<void(Quantize&)>& set,
                PassResult* result = nullptr) {
  Model after = before.clone();
  Quantize pass;
  pass.mode.set("static");
  pass.bias_correction.set("none");
  set(pass);
  pass.check();
  PassContext context;
  pass.run(after, context);
  after.verify();
  if (result) *result = std::move(context.result);
  return after;
}

TEST(HighBiases, CodesAreLeftForWhatMoves) {
  const Model before = high_net(relu);
  PassResult result;
  const double kept = noise(before, quantized(before, [](Quantize&) {}));
  const double moved = noise(before, quantized(
                                         before, [](Quantize& q) { q.absorb_bias.set(true); }, &result));
  EXPECT_LT(moved, 0.3 * kept) << "seed " << kSeed;
  EXPECT_THAT(result.notes, testing::Contains(HasSubstr("8 channels always hold")));
}

// What is seen is exact on what was seen, whatever the deviation says.
TEST(HighBiases, AsSamplesShowThem) {
  Net net(13);
  const V x = net.input("x", {2, 3, 8, 8});
  const V z = net.conv_with(x, net.weight({8, 3, 3, 3}, 0.3), biases(net, 8, 5));
  net.output(net.conv(net.relu(z), 8, 4, {.kernel = 1}));
  const Model before = net.done();
  Model after = before.clone();
  const Samples samples = [&](const std::function<void(const Executor::Feeds&)>& visit) {
    for (std::uint64_t i = 0; i < 3; ++i) visit(normal_feeds(before, 1, kSeed + i)[0]);
  };
  const Levels levels = see_levels(before, {}, samples);
  ASSERT_EQ(levels.count(z->name()), 1);
  Moments none;
  PassContext context;
  EXPECT_GT(absorb_high_biases(after, levels, none, context), 0) << "seed " << kSeed;
  EXPECT_LT(noise(before, after), 1e-9);
}

TEST(HighBiases, GoWithNormsAndStatic) {
  Quantize dynamic;
  dynamic.mode.set("dynamic");
  dynamic.absorb_bias.set(true);
  Net net(13);
  net.output(net.conv(net.input("x", {1, 3, 8, 8}), 3, 8));
  const Model before = net.done();
  Model after = before.clone();
  PassContext context;
  EXPECT_THROW(dynamic.run(after, context), Error);
  Quantize relu6;
  relu6.relu6.set("replace");
  EXPECT_THROW(relu6.run(after, context), Error);
}

TEST(ClipToRelu, WhereNothingReachesTheBound) {
  Net net(13);
  const V x = net.input("x", {1, 3, 8, 8});
  V y = net.op("Clip", {x, net.number(0), net.number(6)});
  y = net.op("Clip", {net.mul(y, net.number(2)), net.number(-1), net.number(6)});
  net.output(net.op("Clip", {y, net.number(0)}));
  const Model before = net.done();
  EXPECT_EQ(bounded_relus(before, {}).size(), 1);
  for (const float most : {5.9F, 6.0F}) {
    Model after = before.clone();
    PassContext context;
    const auto reaches = [&](const Value&) { return std::optional(most); };
    EXPECT_EQ(clips_to_relus(after, reaches, context), most < 6 ? 1 : 0);
    after.verify();
    ASSERT_EQ(context.result.layers.size(), 1);
    EXPECT_EQ(context.result.layers[0].action, most < 6 ? "made Relu" : "stays Clip");
    EXPECT_EQ(noise(before, after), 0);  // normal numbers stay below 6
  }
  Model after = before.clone();
  PassContext context;
  EXPECT_EQ(clips_to_relus(after, {}, context), 1);
  EXPECT_TRUE(after.graph->nodes().front().is("Relu"));
  Net old(10);  // bounds as attributes
  old.output(old.op("Clip", {old.input("x", {2, 4})}, {attr("min", 0.0F), attr("max", 6.0F)}));
  Model attributes = old.done();
  EXPECT_EQ(clips_to_relus(attributes, {}, context), 1);
  EXPECT_EQ(attributes.graph->nodes().front().attribute("max"), nullptr);
}

TEST(ClipToRelu, LetsFactorsAndBiasesPass) {
  const auto clip = [](Net& n, V x) { return n.op("Clip", {x, n.number(0), n.number(100)}); };
  const auto low = [](Net& n, V x) { return n.op("Clip", {x, n.number(0), n.number(20)}); };
  PassResult far, near, asked;
  quantized(
      high_net(clip), [](Quantize& q) { q.absorb_bias.set(true); }, &far);
  quantized(
      high_net(low), [](Quantize& q) { q.absorb_bias.set(true); }, &near);
  quantized(
      high_net(low),
      [](Quantize& q) {
        q.absorb_bias.set(true);
        q.relu6.set("replace");
      },
      &asked);
  const auto has = [](const PassResult& r, const std::string& action) {
    return std::any_of(r.layers.begin(), r.layers.end(),
                       [&](const LayerRecord& l) { return l.action == action; });
  };
  EXPECT_TRUE(has(far, "made Relu") && has(far, "bias absorbed"));
  EXPECT_TRUE(has(near, "stays Clip") && has(near, "bias not absorbed"));
  EXPECT_TRUE(has(asked, "made Relu") && has(asked, "bias absorbed"));
}

}  // namespace
}  // namespace compressor::quantize

// awq_test: factors in front of weights of few bits change nothing in float, help where channels are loud,
// and are explained where there are none; ranges clipped by the outputs.
#include "passes/quantize/channels/awq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "builder.h"
#include "compressor/base/error.h"
#include "compressor/base/random.h"
#include "compressor/engine/executor.h"
#include "compressor/passes/quantize.h"
#include "passes/quantize/normal_feeds.h"
#include "passes/quantize/rounding/output_clip.h"

namespace compressor::quantize {
namespace {

using build::attr;
using build::Ints;
using build::Net;
using build::V;

constexpr std::uint64_t kSeed = 5;

/// Power of the difference of the outputs over the power of `a`'s.
double noise(const Model& a, const Model& b, std::uint64_t seed = kSeed) {
  Executor x(a), y(b);
  double error = 0, power = 0;
  for (const Executor::Feeds& feeds : normal_feeds(a, 4, seed)) {
    const auto p = x.run(feeds), q = y.run(feeds);
    for (std::size_t o = 0; o < p.size(); ++o) {
      const auto u = to_doubles(p[o].tensor), v = to_doubles(q[o].tensor);
      for (std::size_t i = 0; i < u.size(); ++i) {
        error += (u[i] - v[i]) * (u[i] - v[i]);
        power += u[i] * u[i];
      }
    }
  }
  return error / power;
}

/// One number a channel, every 8th of them `loud` times the others.
V loud_channels(Net& net, std::int64_t n, float loud) {
  std::vector<float> values = to_floats(*net.positive({n})->initializer());
  for (std::size_t i = 0; i < values.size(); i += 8) values[i] *= loud;
  return net.constant(Tensor::of({n}, std::span<const float>(values)));
}

/// The norm of a language model, written out as exporters do.
V written_norm(Net& net, V x, std::int64_t n, float loud) {
  const V mean = net.op("ReduceMean", {net.mul(x, x)}, {attr("axes", Ints{-1})});
  const V root = net.op("Sqrt", {net.add(mean, net.number(1e-5F))});
  return net.mul(net.op("Div", {x, root}), loud_channels(net, n, loud));
}

/// x [2, 6, 64] -> norm -> w1, w3 -> silu(w1 x) w3 x -> w2 -> + x
Model gated_mlp(float loud) {
  Net net(13);
  const V x = net.input("x", {2, 6, 64});
  const V y = written_norm(net, x, 64, loud);
  const V gate = net.matmul(y, net.weight({64, 96}));
  const V up = net.matmul(y, net.weight({64, 96}));
  const V down = net.matmul(net.mul(net.mul(gate, net.sigmoid(gate)), up), net.weight({96, 64}));
  net.output(net.add(x, down));
  return net.done();
}

WeightOnlyOptions four_bits() {
  WeightOnlyOptions o;
  o.code = DType::kInt4;
  o.fit = {.codes = {-7, 7}, .symmetric = true, .clip = Clip::kMse};
  o.granularity = Granularity::kGroup;
  return o;
}

PassResult scale(Model& model, const std::vector<Executor::Feeds>& data, std::uint64_t max_memory = 0) {
  PassContext context;
  scale_for_weights(
      model, samples_of(data), [](const Node&) { return four_bits(); }, max_memory, context);
  model.verify();
  return std::move(context.result);
}

std::int64_t count(const PassResult& result, const std::string& action) {
  return std::count_if(result.layers.begin(), result.layers.end(),
                       [&](const LayerRecord& l) { return l.action == action; });
}

TEST(Awq, ExactInFloat) {
  const Model before = gated_mlp(20);
  Model after = before.clone();
  const auto data = normal_feeds(before, 4, kSeed);
  const PassResult result = scale(after, data);
  EXPECT_EQ(count(result, "scaled"), 3) << "seed " << kSeed;
  EXPECT_LT(noise(before, after, kSeed + 1), 1e-10);
  // It did something: the norm took the factors.
  const auto changed = [&](const char* op, std::size_t input) {
    const auto of = [&](const Model& m) {
      for (const Node& node : m.graph->nodes()) {
        if (node.is(op) && node.input(input)->initializer())
          return to_floats(*node.input(input)->initializer());
      }
      return std::vector<float>{};
    };
    return of(before) != of(after);
  };
  EXPECT_TRUE(changed("Mul", 1));
  EXPECT_TRUE(changed("MatMul", 1));
}

TEST(Awq, ConvolutionsTooAndMemoryChangesNothing) {
  Net net;
  V x = net.input("x", {2, 8, 8, 8});
  x = net.relu(net.mul(
      net.conv(x, 8, 32, {.bias = true}),
      net.constant(Tensor::of(
          {1, 32, 1, 1}, std::span<const float>(to_floats(*loud_channels(net, 32, 30)->initializer()))))));
  x = net.relu(net.conv(x, 32, 32, {.group = 2, .bias = true}));
  net.output(net.conv(x, 32, 16));
  const Model before = net.done();
  const auto data = normal_feeds(before, 4, kSeed);
  Model after = before.clone(), little = before.clone();
  const PassResult result = scale(after, data);
  EXPECT_GE(count(result, "scaled"), 1);
  EXPECT_LT(noise(before, after, kSeed + 1), 1e-10);
  // The moments of one layer at a time.
  const PassResult slow = scale(little, data, 400'000);
  EXPECT_EQ(count(slow, "scaled"), count(result, "scaled"));
  EXPECT_EQ(noise(after, little), 0);
}

Model quantized(const Model& before, const std::vector<Executor::Feeds>& data,
                const std::function<void(Quantize&)>& set, PassResult* result = nullptr) {
  Model after = before.clone();
  Quantize pass;
  pass.mode.set("weight-only");
  pass.bits.set("4");
  set(pass);
  pass.check();
  PassContext context;
  if (pass.reads_data()) {
    context.batches = [&](const std::function<void(const PassContext::Inputs&)>& visit) {
      for (const Executor::Feeds& feeds : data) {
        PassContext::Inputs inputs;
        for (const auto& [name, value] : feeds) inputs[name] = value.tensor;
        visit(inputs);
      }
    };
  }
  pass.run(after, context);
  after.verify();
  if (result) *result = std::move(context.result);
  return after;
}

TEST(Awq, LoudChannelsKeepTheirWeights) {
  const Model before = gated_mlp(30);
  const auto data = normal_feeds(before, 8, kSeed);
  const auto power = [&](const std::function<void(Quantize&)>& set) {
    return noise(before, quantized(before, data, set), kSeed + 1);
  };
  const double nearest = power([](Quantize&) {});
  const double scaled = power([](Quantize& q) {
    q.awq.set(true);
    q.clip.set("mse");
  });
  const double clipped = power([](Quantize& q) { q.awq.set(true); });
  const double with_gptq = power([](Quantize& q) {
    q.awq.set(true);
    q.rounding.set("gptq");
  });
  EXPECT_LT(scaled, 0.7 * nearest) << "seed " << kSeed;
  EXPECT_LT(clipped, scaled);
  EXPECT_LT(with_gptq, clipped);
}

TEST(Awq, ASharedWeightStaysShared) {
  Net net;
  const V w = net.weight({64, 64});
  V x = net.input("x", {2, 4, 64});
  x = net.relu(net.matmul(written_norm(net, x, 64, 20), w));
  net.output(net.matmul(x, w));
  const Model before = net.done();
  const auto data = normal_feeds(before, 4, kSeed);
  Model after = before.clone();
  const PassResult result = scale(after, data);
  EXPECT_EQ(count(result, "scaled"), 0);
  EXPECT_EQ(noise(before, after), 0);
  ASSERT_EQ(count(result, "not scaled"), 2);
  EXPECT_THAT(result.layers[0].detail, testing::HasSubstr("is read by 2 nodes"));
  PassResult whole;
  const Model small = quantized(
      before, data, [](Quantize& q) { q.awq.set(true); }, &whole);
  EXPECT_EQ(whole.done, 1);
  EXPECT_LT(noise(before, small), 0.05);
}

TEST(Awq, SaysWhatNoFactorReaches) {
  Net net;
  const V x = net.input("x", {2, 4, 64});
  const V y = net.sigmoid(net.matmul(x, net.weight({64, 64})));
  net.output(net.matmul(y, net.weight({64, 64})));
  const Model before = net.done();
  Model after = before.clone();
  const PassResult result = scale(after, normal_feeds(before, 2, kSeed));
  ASSERT_EQ(count(result, "not scaled"), 2);
  EXPECT_THAT(result.layers[0].detail, testing::HasSubstr("an input of the model"));
  EXPECT_THAT(result.layers[1].detail, testing::HasSubstr("(Sigmoid) gives"));
  EXPECT_EQ(noise(before, after), 0);
}

TEST(Awq, GoesWithDataAndWeightsOnly) {
  for (const char* mode : {"static", "dynamic"}) {
    Quantize pass;
    pass.mode.set(mode);
    pass.awq.set(true);
    EXPECT_THROW(pass.check(), Error) << mode;
  }
  const Model before = gated_mlp(1);
  for (const char* mode : {"auto", "weight-only"}) {
    Quantize pass;
    pass.mode.set(mode);
    pass.awq.set(true);
    pass.check();
    Model after = before.clone();
    PassContext context;
    try {
      pass.run(after, context);
      FAIL() << mode;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr("--awq needs --data"));
    }
  }
}

// [4, 48] rows in groups of 16 against inputs that depend on each other.
TEST(OutputClip, MovesOutputsLessAndCountsRight) {
  Random random(kSeed);
  const std::size_t rows = 4, columns = 48, n = 200;
  std::vector<float> weight(rows * columns), x(columns * n);
  for (float& v : weight) v = static_cast<float>(random.normal() * std::abs(random.normal()));
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < columns; ++i)
      x[i * n + j] =
          static_cast<float>(random.normal() * (i % 5 == 0 ? 4 : 1)) + (i > 0 ? x[(i - 1) * n + j] / 2 : 0);
  }
  SecondMoment moment;
  moment.k = static_cast<std::int64_t>(columns);
  moment.columns = static_cast<std::int64_t>(n);
  moment.sums.resize(columns * columns);
  for (std::size_t i = 0; i < columns; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      for (std::size_t k = 0; k < n; ++k) moment.sums[i * columns + j] += x[i * n + k] * x[j * n + k];
    }
  }
  LayerView view;
  view.rows = rows;
  view.columns = columns;
  view.row_step = columns;
  view.column_step = 1;
  const Tensor w = Tensor::of({4, 48}, std::span<const float>(weight));
  for (const bool symmetric : {true, false}) {
    codec::Grid grid;
    grid.shape = w.shape;
    grid.code = symmetric ? DType::kInt4 : DType::kUint2;
    grid.blocks = {.dims = {1, rows, columns}, .block = {1, 1, 16}};
    const FitOptions options{
        .codes = symmetric ? CodeRange{-7, 7} : CodeRange{0, 3}, .symmetric = symmetric, .clip = Clip::kMse};
    const Fit first = fit(w, grid.blocks, options);
    grid.scale = first.scale;
    grid.zero = first.zero;
    const auto power = [&] {
      grid.codes = codec::encode(w, grid.blocks, grid.scale, grid.zero,
                                 {.low = options.codes.low, .high = options.codes.high});
      const std::vector<float> decoded = to_floats(codec::decode(grid));
      double sum = 0;
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t k = 0; k < n; ++k) {
          double y = 0;
          for (std::size_t i = 0; i < columns; ++i) {
            const std::size_t at = r * columns + i;
            y += static_cast<double>(decoded[at] - weight[at]) * static_cast<double>(x[i * n + k]);
          }
          sum += y * y;
        }
      }
      return sum;
    };
    const double before = power();
    const OutputLoss loss = clip_by_output(w, view, moment, options, grid);
    const double after = power();
    EXPECT_NEAR(loss.nearest, before, 1e-3 * before) << "seed " << kSeed;
    EXPECT_NEAR(loss.noise, after, 1e-3 * after);
    EXPECT_LT(after, 0.95 * before);
  }
}

}  // namespace
}  // namespace compressor::quantize

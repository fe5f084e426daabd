// without_data_test: what norms tell, what inputs are made of, and static quantization from both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "builder.h"
#include "compressor/base/random.h"
#include "compressor/engine/executor.h"
#include "compressor/passes/quantize.h"
#include "passes/quantize/channels/moments.h"
#include "passes/quantize/ranges/synthetic.h"

namespace compressor::quantize {
namespace {

using build::attr;
using build::Ints;
using build::Net;
using build::V;
using testing::HasSubstr;

constexpr std::uint64_t kSeed = 3;

/// Means, deviations of a batch norm's 4 channels.
constexpr std::array<float, 4> kGamma = {1, 0.5F, 2, -1}, kBeta = {0, 1, -1, 0.2F};

V known(Net& n, V x) {
  return n.op("BatchNormalization",
              {x, n.constant(Tensor::of({4}, std::span<const float>(kGamma))),
               n.constant(Tensor::of({4}, std::span<const float>(kBeta))), n.weight({4}), n.positive({4})});
}

/// Moments of f(x) by sampling, x normal with the norm's numbers.
void expect_sampled(const ChannelMoments& m, const std::function<double(double, double)>& f) {
  Random random(kSeed);
  for (std::size_t c = 0; c < 4; ++c) {
    double sum = 0, square = 0;
    constexpr int kSamples = 200000;
    for (int i = 0; i < kSamples; ++i) {
      const auto draw = [&] {
        return static_cast<double>(kBeta[c]) + std::abs(static_cast<double>(kGamma[c])) * random.normal();
      };
      const double a = draw(), v = f(a, draw());
      sum += v;
      square += v * v;
    }
    const double mean = sum / kSamples, dev = std::sqrt(square / kSamples - mean * mean);
    EXPECT_NEAR(m.mean[c], mean, 0.02 * (dev + 0.1)) << "channel " << c << ", seed " << kSeed;
    EXPECT_NEAR(std::sqrt(m.variance[c]), dev, 0.03 * (dev + 0.1)) << "channel " << c << ", seed " << kSeed;
  }
}

ChannelMoments guess(const std::function<V(Net&, V)>& body) {
  Net n;
  const V x = n.input("x", {1, 4, 6, 6});
  const V y = body(n, known(n, x));
  const std::string name = y->name();
  n.output(y);
  const Moments all = guess_moments(n.done());
  const auto it = all.find(name);
  return it == all.end() ? ChannelMoments{} : it->second;
}

TEST(Moments, BehindANormAreItsNumbers) {
  const ChannelMoments m = guess([](Net&, V x) { return x; });
  ASSERT_EQ(m.mean.size(), 4U);
  for (std::size_t c = 0; c < 4; ++c) {
    EXPECT_DOUBLE_EQ(m.mean[c], static_cast<double>(kBeta[c]));
    EXPECT_NEAR(m.high[c] - m.low[c], 12 * std::abs(static_cast<double>(kGamma[c])), 1e-9);
  }
}

TEST(Moments, FunctionsSumsAndGatesAreThoseOfSamples) {
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  expect_sampled(guess([](Net& n, V x) { return n.relu(x); }),
                 [](double a, double) { return std::max(a, 0.0); });
  expect_sampled(guess([](Net& n, V x) { return n.sigmoid(x); }),
                 [&](double a, double) { return sigmoid(a); });
  expect_sampled(guess([](Net& n, V x) { return n.mul(x, n.sigmoid(x)); }),
                 [&](double a, double) { return a * sigmoid(a); });
  expect_sampled(guess([](Net& n, V x) {
                   return n.op("Clip", {x, n.number(0), n.number(1)});
                 }),
                 [](double a, double) { return std::clamp(a, 0.0, 1.0); });
  expect_sampled(guess([](Net& n, V x) { return n.add(x, known(n, n.conv(x, 4, 4))); }),
                 [](double a, double b) { return a + b; });
  expect_sampled(guess([](Net& n, V x) {
                   return n.op("Sub", {x, n.number(2)});
                 }),
                 [](double a, double) { return a - 2; });
}

TEST(Moments, EndsAreThoseOfTheFunction) {
  const ChannelMoments relu = guess([](Net& n, V x) { return n.relu(x); });
  EXPECT_EQ(*std::min_element(relu.low.begin(), relu.low.end()), 0);
  EXPECT_NEAR(relu.high[2], -1 + 6 * 2, 1e-9);
  const ChannelMoments gate = guess([](Net& n, V x) { return n.sigmoid(x); });
  EXPECT_LE(*std::max_element(gate.high.begin(), gate.high.end()), 1);
  // Zeros that padding adds to channels, and their order in a flattened row.
  const ChannelMoments padded = guess([](Net& n, V x) {
    return n.op("Pad", {x, n.ints({0, 1, 0, 0, 0, 1, 0, 0})});
  });
  ASSERT_EQ(padded.mean.size(), 6U);
  EXPECT_EQ(padded.high[0], 0);
  EXPECT_EQ(padded.mean[2], 1);
  const ChannelMoments flat = guess([](Net& n, V x) {
    return n.op("Flatten", {n.op("MaxPool", {x}, {attr("kernel_shape", Ints{2, 2})})});
  });
  ASSERT_EQ(flat.mean.size(), 100U);
  EXPECT_EQ(flat.mean[25], 1);
}

TEST(Moments, BehindAProductNothingIsKnown) {
  EXPECT_TRUE(guess([](Net& n, V x) { return n.conv(x, 4, 4); }).mean.empty());
  EXPECT_TRUE(guess([](Net& n, V x) { return n.add(x, n.conv(x, 4, 4)); }).mean.empty());
}

TEST(Synthetic, InputsFillTheirRangeAndAreTheSameEachTime) {
  Net n;
  const V x = n.batch_input("x", {1, 3, 24, 24});
  n.output(
      n.op("Concat", {n.op("Flatten", {x}), n.batch_input("y", {1, 7})}, {attr("axis", std::int64_t{1})}));
  const Model model = n.done();
  const auto ranges = parse_input_ranges(model, {"-1,3", "y=0,1"});
  EXPECT_EQ(ranges.at("x").low, -1);
  EXPECT_EQ(ranges.at("y").high, 1);
  const auto batches = synthetic_batches(model, ranges, {}, kSeed, 32);
  std::vector<std::vector<float>> seen;
  for (int round = 0; round < 2; ++round) {
    float low = HUGE_VALF, high = -HUGE_VALF;
    std::vector<float> all;
    batches([&](const PassContext::Inputs& inputs) {
      for (const float v : to_floats(inputs.at("x"))) {
        low = std::min(low, v);
        high = std::max(high, v);
        all.push_back(v);
      }
      for (const float v : to_floats(inputs.at("y"))) ASSERT_TRUE(v >= 0 && v <= 1);
    });
    EXPECT_NEAR(low, -1, 0.1);
    EXPECT_NEAR(high, 3, 0.1);
    EXPECT_EQ(all.size(), 32U * 3 * 24 * 24);
    seen.push_back(std::move(all));
  }
  EXPECT_EQ(seen[0], seen[1]);
}

TEST(Synthetic, BadRangesAreNamed) {
  Net n;
  n.output(n.relu(n.input("x", {1, 3, 8, 8})));
  const Model model = n.done();
  for (const char* bad : {"", "1", "1,", "1,0", "0,0", "a,b", "0,1,2", "z=0,1", "0,inf", "-1e39,1", "x="})
    EXPECT_THROW(parse_input_ranges(model, {bad}), Error) << bad;
  EXPECT_THROW(synthetic_batches(model, {}, {}, 0, 8), Error);
  Net tokens;
  tokens.output(tokens.op("Cast", {tokens.input("t", {1, 4}, DType::kInt64)}, {attr("to", std::int64_t{1})}));
  const Model reads_tokens = tokens.done();
  EXPECT_THROW(synthetic_batches(reads_tokens, {{"t", {0, 1}}}, {{"t", {1, 4}}}, 0, 8), Error) << "of int64";
  Net open;
  Type type = Type::tensor(DType::kFloat, {1, 3, 8, 8});
  type.dims[2].value = -1;
  open.output(open.relu(open.graph().add_input("x", type)));
  const Model model2 = open.done();
  EXPECT_THROW(synthetic_batches(model2, {{"x", {0, 1}}}, {}, 0, 8), Error);
  EXPECT_NO_THROW(synthetic_batches(model2, {{"x", {0, 1}}}, {{"x", {1, 3, 8, 8}}}, 0, 8));
}

/// conv, norm, relu three times and a head; norms' statistics are those of normal inputs.
Model network() {
  Net n(13);
  V x = n.input("x", {2, 3, 12, 12});
  x = n.cbr(x, 3, 8);
  x = n.add(x, n.cbr(x, 8, 8));
  n.output(n.linear(n.gap(n.cbr(x, 8, 8)), 8, 5));
  return n.done();
}

PassResult run(Model& model, const std::vector<std::string>& input_range,
               const std::string& correction = "auto") {
  Quantize pass;
  pass.mode.set("static");
  if (!input_range.empty()) pass.input_range.set(input_range);
  pass.bias_correction.set(correction);
  PassContext context;
  pass.run(model, context);
  model.verify();
  return std::move(context.result);
}

TEST(WithoutData, NormsAreEnoughForAllButTheFirstLayer) {
  Model model = network();
  const PassResult r = run(model, {});
  EXPECT_EQ(r.done, 3);
  ASSERT_EQ(r.skipped, 1);
  EXPECT_THAT(r.layers[0].detail, HasSubstr("no range for 'x'"));
}

TEST(WithoutData, WithTheInputsRangeEveryLayerIsInteger) {
  Model model = network();
  const PassResult r = run(model, {"-3,3"});
  EXPECT_EQ(r.done, 4);
  EXPECT_EQ(r.skipped, 0);
}

TEST(WithoutData, WithoutNormsAndRangeItSaysWhatItNeeds) {
  Net n(13);
  n.output(n.relu(n.conv(n.input("x", {1, 3, 8, 8}), 3, 4)));
  Model model = n.done();
  try {
    run(model, {});
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("--input-range"));
  }
  Model other = network();
  EXPECT_THROW(run(other, {}, "empirical"), Error);
}

}  // namespace
}  // namespace compressor::quantize

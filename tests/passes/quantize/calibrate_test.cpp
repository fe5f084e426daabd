// calibrate: from samples to ranges, and what biases take back.
#include "passes/quantize/ranges/calibrate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "builder.h"
#include "compressor/base/random.h"
#include "compressor/passes/quantize.h"

namespace compressor {
namespace {

constexpr std::uint64_t kSeed = 5;

/// x [1, 3, 8, 8] -> conv -> relu -> conv -> relu -> pool -> linear
Model network() {
  build::Net net(13);
  auto x = net.input("x", {1, 3, 8, 8});
  x = net.relu(net.conv(x, 3, 8));
  x = net.relu(net.conv(x, 8, 8));
  net.output(net.linear(net.gap(x), 8, 5));
  return net.done();
}

std::vector<Tensor> inputs(std::size_t count) {
  Random random(kSeed);
  std::vector<Tensor> list;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<float> x(3 * 64);
    for (float& v : x) v = static_cast<float>(1 + random.normal());  // a mean that rounding can shift
    list.push_back(Tensor::of({1, 3, 8, 8}, std::span<const float>(x)));
  }
  return list;
}

std::string input_name(const Model& model) {
  return model.graph->inputs()[0]->name();
}

PassContext::Batches batches(const Model& model, const std::vector<Tensor>& list) {
  return [name = input_name(model), &list](const std::function<void(const PassContext::Inputs&)>& visit) {
    for (const Tensor& t : list) visit({{name, t}});
  };
}

/// Mean over the inputs of the outputs' difference, and its power against the outputs' power.
struct Error2 {
  double mean = 0, relative = 0;
};
Error2 error_of(const Model& a, const Model& b, const std::vector<Tensor>& list) {
  Executor x(a);
  Executor y(b);
  double noise = 0;
  double signal = 0;
  std::vector<double> shift(5);
  for (const Tensor& t : list) {
    const auto p = to_doubles(x.run({{input_name(a), t}})[0].tensor);
    const auto q = to_doubles(y.run({{input_name(b), t}})[0].tensor);
    for (std::size_t i = 0; i < p.size(); ++i) {
      noise += (p[i] - q[i]) * (p[i] - q[i]);
      signal += p[i] * p[i];
      shift[i] += (q[i] - p[i]) / static_cast<double>(list.size());
    }
  }
  Error2 e;
  for (const double s : shift) e.mean += std::fabs(s) / 5;
  e.relative = noise / signal;
  return e;
}

TEST(Calibrate, RangesAreThoseOfTheSamples) {
  const Model model = network();
  const auto list = inputs(4);
  const std::string name = input_name(model);
  const Samples samples = [&](const std::function<void(const Executor::Feeds&)>& visit) {
    for (const Tensor& t : list) visit({{name, t}});
  };
  const quantize::Calibration c = quantize::calibrate(model, {name}, samples, "minmax", {}, 0);
  float low = HUGE_VALF;
  float high = -HUGE_VALF;
  for (const Tensor& t : list) {
    for (const float v : to_floats(t)) {
      low = std::min(low, v);
      high = std::max(high, v);
    }
  }
  EXPECT_EQ(c.ranges.at(name).low, low);
  EXPECT_EQ(c.ranges.at(name).high, high);
  EXPECT_EQ(c.channel_means.at(name).size(), 3U);
  EXPECT_THROW(quantize::calibrate(
                   model, {name}, [](const auto&) {}, "minmax", {}, 0),
               Error);
}

/// Sequences [1, steps, 4] of other lengths: axis 1 counts steps, and no channels.
TEST(Calibrate, SamplesMayDifferInLength) {
  build::Net net(13);
  auto x = net.input("x", {1, -1, 4});
  net.output(net.relu(net.matmul(x, net.weight({4, 6}))));
  const Model before = net.done();
  Random random(kSeed);
  std::vector<Tensor> list;
  for (const std::int64_t steps : {5, 3, 9, 3}) {
    std::vector<float> values(static_cast<std::size_t>(steps * 4));
    for (float& v : values) v = static_cast<float>(1 + random.normal());
    list.push_back(Tensor::of({1, steps, 4}, std::span<const float>(values)));
  }
  const Samples samples = [&](const std::function<void(const Executor::Feeds&)>& visit) {
    for (const Tensor& t : list) visit({{"x", t}});
  };
  const quantize::Calibration c = quantize::calibrate(before, {"x"}, samples, "minmax", {}, 0);
  EXPECT_LT(c.ranges.at("x").low, c.ranges.at("x").high);
  EXPECT_FALSE(c.channel_means.contains("x"));
  Model after = before.clone();
  Quantize pass;
  PassContext context;
  context.batches = batches(before, list);
  pass.run(after, context);
  EXPECT_EQ(context.result.done, 1);
  Executor a(before);
  Executor b(after);
  for (const Tensor& t : list) {
    const auto p = to_doubles(a.run({{"x", t}})[0].tensor);
    const auto q = to_doubles(b.run({{"x", t}})[0].tensor);
    double noise = 0, signal = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      noise += (p[i] - q[i]) * (p[i] - q[i]);
      signal += p[i] * p[i];
    }
    EXPECT_LT(noise, 1e-3 * signal) << "seed " << kSeed;
  }
}

TEST(Calibrate, DataMakesEveryLayerIntegerAndKeepsOutputs) {
  const Model before = network();
  const auto list = inputs(16);
  Model after = before.clone();
  Quantize pass;
  PassContext context;
  context.batches = batches(before, list);
  pass.run(after, context);
  EXPECT_EQ(context.result.done, context.result.eligible);
  EXPECT_LT(error_of(before, after, list).relative, 1e-3) << "seed " << kSeed;
}

TEST(Calibrate, BiasCorrectionTakesTheMeanShiftBack) {
  const Model before = network();
  const auto list = inputs(32);
  const auto shift = [&](bool correct) {
    Model after = before.clone();
    Quantize pass;
    pass.bias_correction.set(correct ? "empirical" : "none");
    pass.target.set("generic");
    PassContext context;
    context.batches = batches(before, list);
    pass.run(after, context);
    return error_of(before, after, list).mean;
  };
  EXPECT_LT(shift(true), shift(false)) << "seed " << kSeed;
}

/// What each channel of the second convolution misses in mean and deviation, summed.
double missed(const Model& before, const Model& after, const std::vector<Tensor>& list) {
  std::vector<std::vector<double>> numbers;
  for (const Model* model : {&before, &after}) {
    StatisticsRequest request;
    request.channels = true;
    const Value* last = nullptr;
    for (const Node& node : model->graph->nodes()) {
      if (node.is("Conv")) last = node.output(0);
    }
    request.values = {last};
    const Statistics seen = collect_statistics(*model, request, [&](const auto& visit) {
      for (const Tensor& t : list) visit({{input_name(*model), t}});
    });
    const ValueStatistics& s = seen.values.at(last);
    std::vector<double>& n = numbers.emplace_back();
    for (std::size_t c = 0; c < s.channel_sum.size(); ++c) {
      const double mean = s.channel_sum[c] / s.channel_count;
      n.push_back(mean);
      n.push_back(std::sqrt(s.channel_squares[c] / s.channel_count - mean * mean));
    }
  }
  double sum = 0;
  for (std::size_t i = 0; i < numbers[0].size(); ++i) sum += std::fabs(numbers[0][i] - numbers[1][i]);
  return sum;
}

TEST(Calibrate, ReestimationGivesMeansAndDeviationsBack) {
  const Model before = network();
  const auto list = inputs(32);
  const auto quantized = [&](bool reestimate) {
    Model after = before.clone();
    Quantize pass;
    pass.reestimate.set(reestimate);
    PassContext context;
    context.batches = batches(before, list);
    pass.run(after, context);
    after.verify();
    return after;
  };
  const double plain = missed(before, quantized(false), list);
  EXPECT_LT(missed(before, quantized(true), list), 0.3 * plain) << "seed " << kSeed;
}

TEST(Calibrate, ReestimationNeedsWhatItMeasures) {
  Model model = network();
  Quantize pass;
  pass.mode.set("weight-only");
  pass.reestimate.set(true);
  PassContext context;
  EXPECT_THROW(pass.run(model, context), Error);
}

TEST(Calibrate, StaticWithoutDataSaysWhatItNeeds) {
  Model model = network();
  Quantize pass;
  pass.mode.set("static");
  PassContext context;
  EXPECT_THROW(pass.run(model, context), Error);
}

}  // namespace
}  // namespace compressor

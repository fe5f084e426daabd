// statistics: what a streaming pass gathers against sums over everything at once.
#include "compressor/analysis/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "compressor/base/random.h"
#include "compressor/base/threads.h"

namespace compressor {
namespace {

constexpr std::uint64_t kSeed = 4;

/// x [N, 4, 6, 6] -> Conv(groups 2, 3x3, pad 1) -> Relu -> y
Model network(Random& random) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& g = *model.graph;
  const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {3, 4, 6, 6}));
  std::vector<float> w(6 * 2 * 9);
  for (float& v : w) v = static_cast<float>(random.normal());
  const Value* weight = g.add_initializer("w", Tensor::of({6, 2, 3, 3}, std::span<const float>(w)));
  NodeSpec spec{.op = "Conv", .inputs = {x, weight}, .outputs = {"c"}, .name = "conv"};
  spec.attributes.emplace_back("group", std::int64_t{2});
  spec.attributes.emplace_back("pads", Attribute::Ints{1, 1, 1, 1});
  spec.attributes.emplace_back("kernel_shape", Attribute::Ints{3, 3});
  const Node& conv = g.add_node(std::move(spec));
  const Node& relu = g.add_node({.op = "Relu", .inputs = {conv.output(0)}, .outputs = {"y"}, .name = "relu"});
  g.add_output(*relu.output(0));
  return model;
}

std::vector<Tensor> batches(Random& random) {
  std::vector<Tensor> list;
  for (int b = 0; b < 5; ++b) {
    std::vector<float> x(3 * 4 * 36);
    for (float& v : x) v = static_cast<float>(random.normal() * std::exp2(b));  // wider and wider
    x[7] = 0;
    list.push_back(Tensor::of({3, 4, 6, 6}, std::span<const float>(x)));
  }
  return list;
}

Samples samples_of(const std::vector<Tensor>& list) {
  return [&list](const std::function<void(const Executor::Feeds&)>& visit) {
    for (const Tensor& t : list) visit({{"x", t}});
  };
}

TEST(Statistics, ChannelsOfAnotherNumberInEveryBatchAreNotTold) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& g = *model.graph;
  const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {1, -1, 2}));
  const Node& relu = g.add_node({.op = "Relu", .inputs = {x}, .outputs = {"y"}, .name = "relu"});
  g.add_output(*relu.output(0));
  const std::vector<Tensor> list = {Tensor::of({1, 2, 2}, std::vector<float>{1, 2, -3, 4}),
                                    Tensor::of({1, 3, 2}, std::vector<float>{1, -2, 3, 4, -5, 6}),
                                    Tensor::of({1, 2, 2}, std::vector<float>{1, 2, 3, 7})};
  StatisticsRequest request;
  request.values = {x};
  request.channels = true;
  const Statistics by_axis_1 = collect_statistics(model, request, samples_of(list));
  const ValueStatistics& s = by_axis_1.values.at(x);
  EXPECT_EQ(s.all.min, -5);
  EXPECT_EQ(s.all.max, 7);
  EXPECT_EQ(s.all.count, 14U);
  EXPECT_TRUE(s.channels_vary);
  EXPECT_TRUE(s.channel_sum.empty() && s.channel_min.empty() && s.channel_squares.empty());
  request.last_axis = true;
  const Statistics by_last = collect_statistics(model, request, samples_of(list));
  EXPECT_FALSE(by_last.values.at(x).channels_vary);
  EXPECT_EQ(by_last.values.at(x).channel_sum, (std::vector<double>{1, 23}));
  EXPECT_EQ(by_last.values.at(x).channel_count, 7);
}

TEST(Statistics, SumsAreThoseOfAllSamplesTogether) {
  Random random(kSeed);
  const Model model = network(random);
  const auto list = batches(random);
  const Value* x = model.graph->inputs()[0];
  const Value* c = model.graph->find("c");
  StatisticsRequest request;
  request.values = {x, c};
  request.channels = true;
  const Statistics s = collect_statistics(model, request, samples_of(list));
  EXPECT_EQ(s.passes, 1);
  EXPECT_EQ(s.batches, 5);
  const ValueStatistics& of_x = s.values.at(x);
  double sum = 0;
  double squares = 0;
  float low = 0;
  float high = 0;
  std::vector<double> magnitude(4);
  std::vector<float> all;
  for (const Tensor& t : list) {
    const std::vector<float> v = to_floats(t);
    for (std::size_t i = 0; i < v.size(); ++i) {
      all.push_back(v[i]);
      sum += static_cast<double>(v[i]);
      squares += static_cast<double>(v[i]) * static_cast<double>(v[i]);
      low = std::min(low, v[i]);
      high = std::max(high, v[i]);
      magnitude[i / 36 % 4] += std::fabs(static_cast<double>(v[i]));
    }
  }
  EXPECT_EQ(of_x.all.count, static_cast<std::int64_t>(all.size()));
  EXPECT_EQ(of_x.all.zeros, 5);
  EXPECT_EQ(of_x.all.min, low);
  EXPECT_EQ(of_x.all.max, high);
  EXPECT_NEAR(of_x.all.sum, sum, 1e-3);
  EXPECT_NEAR(of_x.all.sum_of_squares, squares, 1e-5 * squares);
  for (std::size_t k = 0; k < 4; ++k)
    EXPECT_NEAR(of_x.channel_magnitude[k], magnitude[k], 1e-5 * magnitude[k]);
  // Every number is in the bin of its place, although the bins were widened on the way.
  std::vector<std::uint64_t> expected(of_x.histogram.counts().size());
  for (const float v : all) {
    ++expected[static_cast<std::size_t>(
        std::floor((static_cast<double>(v) - of_x.histogram.low()) / of_x.histogram.width()))];
  }
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), of_x.histogram.counts().begin()));
  EXPECT_EQ(s.values.at(c).channel_min.size(), 6U);
}

TEST(Statistics, SecondMomentsAreThoseOfThePatches) {
  Random random(kSeed);
  const Model model = network(random);
  const auto list = batches(random);
  const Node& conv = model.graph->nodes().front();
  StatisticsRequest request;
  request.second_moments = {&conv};
  const Statistics s = collect_statistics(model, request, samples_of(list));
  const SecondMoment& m = s.moments.at(&conv);
  ASSERT_EQ(m.k, 18);
  ASSERT_EQ(m.groups, 2);
  EXPECT_EQ(m.columns, 5 * 3 * 36);
  std::vector<double> expected(2 * 18 * 18);
  for (const Tensor& t : list) {
    const std::vector<float> v = to_floats(t);
    const auto at = [&](std::int64_t n, std::int64_t c, std::int64_t row, std::int64_t column) {
      if (row < 0 || row > 5 || column < 0 || column > 5) return 0.0;
      return static_cast<double>(v[static_cast<std::size_t>(((n * 4 + c) * 6 + row) * 6 + column)]);
    };
    for (std::int64_t g = 0; g < 2; ++g) {
      for (std::int64_t n = 0; n < 3; ++n) {
        for (std::int64_t p = 0; p < 36; ++p) {
          std::vector<double> patch;
          for (std::int64_t c = 0; c < 2; ++c) {
            for (std::int64_t k = 0; k < 9; ++k) {
              patch.push_back(at(n, g * 2 + c, p / 6 + k / 3 - 1, p % 6 + k % 3 - 1));
            }
          }
          for (std::size_t i = 0; i < 18; ++i) {
            for (std::size_t j = 0; j < 18; ++j) {
              expected[static_cast<std::size_t>(g) * 324 + i * 18 + j] += patch[i] * patch[j];
            }
          }
        }
      }
    }
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(m.sums[i]), expected[i], 1e-4 * std::fabs(expected[i]) + 0.1) << i;
  }
}

TEST(Statistics, MemoryLimitMakesPassesAndChangesNothing) {
  Random random(kSeed);
  const Model model = network(random);
  const auto list = batches(random);
  StatisticsRequest request;
  request.values = {model.graph->inputs()[0], model.graph->find("c"), model.graph->find("y")};
  request.second_moments = {&model.graph->nodes().front()};
  const Statistics free = collect_statistics(model, request, samples_of(list));
  request.max_memory = 40000;
  const Statistics bounded = collect_statistics(model, request, samples_of(list));
  EXPECT_EQ(free.passes, 1);
  EXPECT_GT(bounded.passes, 1);
  for (const auto& [value, s] : free.values) {
    EXPECT_EQ(s.all.sum, bounded.values.at(value).all.sum);
    EXPECT_TRUE(std::equal(s.histogram.counts().begin(), s.histogram.counts().end(),
                           bounded.values.at(value).histogram.counts().begin()));
  }
  EXPECT_EQ(free.moments.begin()->second.sums, bounded.moments.begin()->second.sums);
  request.max_memory = 100;
  EXPECT_THROW(collect_statistics(model, request, samples_of(list)), Error);
}

TEST(Statistics, BitsDoNotDependOnTheNumberOfThreads) {
  const int before = threads();
  std::vector<float> x(300000);
  Random random(kSeed);
  for (float& v : x) v = static_cast<float>(random.normal());
  x[17] = HUGE_VALF;
  x[18] = NAN;
  std::vector<double> sums;
  std::vector<std::vector<std::uint64_t>> counts;
  for (const int t : {1, 2, 3}) {
    set_threads(t);
    const kernels::Summary s = kernels::summarize(x.data(), static_cast<std::int64_t>(x.size()));
    EXPECT_EQ(s.not_finite, 2);
    sums.push_back(s.sum);
    kernels::Histogram h;
    h.add(x.data(), static_cast<std::int64_t>(x.size()), s.min, s.max);
    EXPECT_EQ(h.total(), x.size() - 2);
    counts.emplace_back(h.counts().begin(), h.counts().end());
  }
  set_threads(before);
  EXPECT_EQ(sums[0], sums[1]);
  EXPECT_EQ(sums[0], sums[2]);
  EXPECT_EQ(counts[0], counts[1]);
  EXPECT_EQ(counts[0], counts[2]);
}

}  // namespace
}  // namespace compressor

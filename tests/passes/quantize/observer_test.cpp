// observer: ranges for numbers whose distribution is known.
#include "passes/quantize/ranges/observer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "builder.h"
#include "compressor/base/random.h"

namespace compressor::quantize {
namespace {

constexpr std::uint64_t kSeed = 11;

ValueStatistics seen(const std::vector<float>& x, std::size_t batch = 1000) {
  ValueStatistics s;
  for (std::size_t at = 0; at < x.size(); at += batch) {
    const auto n = static_cast<std::int64_t>(std::min(batch, x.size() - at));
    const kernels::Summary part = kernels::summarize(x.data() + at, n);
    s.histogram.add(x.data() + at, n, part.min, part.max);
    s.all.merge(part);
  }
  return s;
}

std::vector<float> normal(std::size_t n, bool relu) {
  Random random(kSeed);
  std::vector<float> x(n);
  for (float& v : x) {
    v = static_cast<float>(random.normal());
    if (relu) v = std::max(v, 0.0F);
  }
  return x;
}

/// The real error of rounding to the grid.
double measured_error(const std::vector<float>& x, double low, double high, int levels) {
  const double step = (high - low) / (levels - 1);
  double sum = 0;
  for (const float v : x) {
    const double code = std::clamp(std::nearbyint((static_cast<double>(v) - low) / step), 0.0, levels - 1.0);
    sum += std::pow(low + code * step - static_cast<double>(v), 2);
  }
  return sum / static_cast<double>(x.size());
}

TEST(Observer, MinMaxIsAllThatWasSeen) {
  const auto x = normal(5000, false);
  const ValueRange r = observer_of("minmax").range(seen(x), {});
  EXPECT_EQ(r.low, *std::min_element(x.begin(), x.end()));
  EXPECT_EQ(r.high, *std::max_element(x.begin(), x.end()));
}

TEST(Observer, PercentileLeavesItsShareOut) {
  const auto x = normal(200000, false);
  const ValueRange r = observer_of("percentile").range(seen(x), {.percentile = 99});
  EXPECT_NEAR(static_cast<double>(r.high), 2.5758, 0.03);  // the normal distribution's 99.5 % point
  EXPECT_NEAR(static_cast<double>(r.low), -2.5758, 0.03);
  const auto positive = normal(200000, true);
  const ValueRange one = observer_of("percentile").range(seen(positive), {.percentile = 99});
  EXPECT_EQ(one.low, 0.0F);
  EXPECT_NEAR(static_cast<double>(one.high), 2.3263, 0.03);  // half of the numbers are zeros
}

TEST(Observer, MseIsNoWorseThanAnyOtherRange) {
  for (const int levels : {16, 256}) {
    auto x = normal(50000, false);
    x[3] = 40;  // one number far out
    const ValueStatistics s = seen(x);
    const ObserverSettings settings{.levels = levels};
    const auto error = [&](const ValueRange& r) {
      return measured_error(x, static_cast<double>(r.low), static_cast<double>(r.high), levels);
    };
    const double best = error(observer_of("mse").range(s, settings));
    for (const char* other : {"minmax", "percentile", "entropy"}) {
      EXPECT_LE(best, 1.05 * error(observer_of(other).range(s, settings))) << other << " at " << levels;
    }
    const double estimate = GridError(s, settings)(-4, 4);
    EXPECT_NEAR(estimate, measured_error(x, -4, 4, levels), 0.1 * estimate);
  }
}

TEST(Observer, EntropyCutsALongTail) {
  Random random(kSeed);
  std::vector<float> x(200000);
  for (float& v : x) v = static_cast<float>(std::exp(random.normal()));  // log-normal
  const ValueStatistics s = seen(x);
  const ValueRange r = observer_of("entropy").range(s, {});
  EXPECT_LT(r.high, 0.8F * s.all.max);
  EXPECT_GT(r.high, 3.0F);
}

TEST(Observer, ErrorsAreWeighedBehindTheFunctionThatReadsTheValue) {
  build::Net net(13);
  const auto x = net.input("x", {1, 4});
  const auto gate = net.sigmoid(x);
  net.output(net.op("Mul", {gate, x}));
  const Model model = net.done();
  const Value& value = *model.graph->inputs()[0];
  const Curve silu = curve_behind(value);
  ASSERT_NE(silu, nullptr);
  EXPECT_NEAR(silu(2), 2 / (1 + std::exp(-2.0)), 1e-12);
  // Most of the range lies where SiLU is flat.
  auto numbers = normal(50000, false);
  for (std::size_t i = 0; i < numbers.size(); i += 10) numbers[i] = -60 + numbers[i];
  const ValueStatistics s = seen(numbers);
  const ValueRange plain = observer_of("mse").range(s, {});
  const ValueRange behind = observer_of("mse").range(s, {.through = silu});
  EXPECT_LT(plain.low, -50);
  EXPECT_GT(behind.low, -10);
  const auto error = [&](const ValueRange& r) {
    const double step = (static_cast<double>(r.high) - static_cast<double>(r.low)) / 255;
    double sum = 0;
    for (const float v : numbers) {
      const double q = std::round(std::clamp(static_cast<double>(v), static_cast<double>(r.low),
                                             static_cast<double>(r.high)) /
                                  step) *
                       step;
      sum += std::pow(silu(static_cast<double>(v)) - silu(q), 2);
    }
    return sum;
  };
  EXPECT_LT(10 * error(behind), error(plain));
}

TEST(Observer, NoFunctionWhereSomeReadTheValueAsItIs) {
  build::Net net(13);
  const auto x = net.input("x", {1, 4});
  const auto gate = net.sigmoid(x);
  net.output(net.op("Mul", {gate, x}));
  net.output(net.op("Neg", {x}));
  const Model model = net.done();
  EXPECT_EQ(curve_behind(*model.graph->inputs()[0]), nullptr);
  EXPECT_EQ(curve_behind(*model.graph->outputs()[0]), nullptr);
}

TEST(Observer, UnknownNameIsAUsageError) {
  EXPECT_THROW(observer_of("nothing"), Error);
}

}  // namespace
}  // namespace compressor::quantize

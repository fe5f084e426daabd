// affine_test: ranges to scales, and blocks of numbers to the grid that loses least.
#include "passes/quantize/grid/affine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compressor/base/random.h"
#include "compressor/base/threads.h"
#include "passes/quantize/grid/fit.h"
#include "passes/quantize/grid/weight_blocks.h"

namespace compressor::quantize {
namespace {

using codec::Blocks;

TEST(Affine, CodesOfAType) {
  EXPECT_EQ(code_range(8, true, false), (CodeRange{-128, 127}));
  EXPECT_EQ(code_range(8, true, true), (CodeRange{-127, 127}));
  EXPECT_EQ(code_range(8, true, true, true), (CodeRange{-64, 63}));
  EXPECT_EQ(code_range(8, false, false), (CodeRange{0, 255}));
  EXPECT_EQ(code_range(8, false, false, true), (CodeRange{0, 127}));
  EXPECT_EQ(code_range(2, true, true), (CodeRange{-2, 1}));
  EXPECT_EQ(code_range(4, false, true), (CodeRange{0, 15}));
}

TEST(Affine, ZeroIsACodeAndTheEndsAreReached) {
  Random random(5);
  for (int i = 0; i < 1000; ++i) {
    const auto low = static_cast<float>(random.normal() * 3 - 1),
               high = low + static_cast<float>(random.uniform() * 8);
    for (const CodeRange codes : {CodeRange{0, 255}, CodeRange{-128, 127}, CodeRange{0, 15}}) {
      const Affine a = affine_of(low, high, codes);
      ASSERT_GT(a.scale, 0) << "seed 5, round " << i;
      ASSERT_GE(a.zero, codes.low);
      ASSERT_LE(a.zero, codes.high);
      const float least = static_cast<float>(codes.low - a.zero) * a.scale;
      const float most = static_cast<float>(codes.high - a.zero) * a.scale;
      ASSERT_LE(least, std::min(low, 0.0F) + a.scale * 0.51F);
      ASSERT_GE(most, std::max(high, 0.0F) - a.scale * 0.51F);
    }
  }
}

TEST(Affine, AfterReluTheLowestCodeIsZero) {
  EXPECT_EQ(affine_of(0, 6, {0, 255}).zero, 0);
  EXPECT_EQ(affine_of(0, 6, {-128, 127}).zero, -128);
  EXPECT_EQ(affine_of(2, 6, {0, 255}).zero, 0);
  EXPECT_FLOAT_EQ(affine_of(2, 6, {0, 255}).scale, 6.0F / 255);
}

TEST(Affine, NothingToScaleGivesOne) {
  for (const float v : {0.0F, std::numeric_limits<float>::denorm_min(), 1e-38F}) {
    EXPECT_EQ(affine_of(-v, v, {-128, 127}).scale, 1) << v;
    EXPECT_EQ(symmetric_of(-v, v, {-127, 127}), (Affine{1, 0})) << v;
  }
  EXPECT_EQ(symmetric_of(-3, 1, {0, 255}).zero, 128);
}

std::vector<float> normals(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(n);
  for (float& v : values) v = static_cast<float>(random.normal());
  return values;
}

TEST(FitBlock, ClippingByErrorNeverLosesMoreThanTheWholeRange) {
  for (const int bits : {2, 4, 8}) {
    for (std::uint64_t seed = 1; seed < 50; ++seed) {
      std::vector<float> values = normals(64, seed);
      values[3] *= 6;  // an outlier
      const auto error = [&](Clip clip, bool symmetric) {
        const FitOptions o{code_range(bits, symmetric, false), symmetric, clip};
        const auto [low, high] = std::minmax_element(values.begin(), values.end());
        return squared_error(values, fit_block(values, *low, *high, o), o.codes);
      };
      EXPECT_LE(error(Clip::kMse, true), error(Clip::kMinMax, true)) << "seed " << seed;
      EXPECT_LE(error(Clip::kMse, false), error(Clip::kMinMax, false)) << "seed " << seed;
    }
  }
}

TEST(FitBlock, HqqGivesAWholeZeroPointAndASmallerNorm) {
  int better = 0;
  for (std::uint64_t seed = 1; seed < 40; ++seed) {
    std::vector<float> values = normals(64, seed);
    values[7] = 9;
    const CodeRange codes{0, 15};
    const auto norm = [&](const Affine& a) {
      double sum = 0;
      for (const float v : values) {
        const double q = std::clamp(std::nearbyint(v / a.scale + static_cast<float>(a.zero)), 0.0F, 15.0F);
        sum += std::pow(std::abs(static_cast<double>(v) - (q - a.zero) * static_cast<double>(a.scale)), 0.7);
      }
      return sum;
    };
    const Affine start = affine_of(-3, 9, codes);
    const Affine found = hqq(values, start, codes);
    EXPECT_LE(norm(found), norm(start)) << "seed " << seed;
    better += found == start ? 0 : 1;
  }
  EXPECT_GT(better, 20);
}

/// The same blocks, one by one, from a plain loop.
Fit plain_fit(const std::vector<float>& values, const Blocks& blocks, const FitOptions& options) {
  std::vector<std::vector<float>> members(blocks.count());
  blocks.each_run(0, values.size(),
                  [&](std::uint64_t first, std::uint64_t n, std::uint64_t s, std::uint64_t step) {
                    for (std::uint64_t i = 0; i < n; ++i) members[s + i * step].push_back(values[first + i]);
                  });
  Fit fit;
  for (const auto& m : members) {
    const auto [low, high] = std::minmax_element(m.begin(), m.end());
    const Affine a = fit_block(m, std::min(0.0F, *low), std::max(0.0F, *high), options);
    fit.scale.push_back(a.scale);
    fit.zero.push_back(a.zero);
    for (const float v : m) fit.loss.signal += static_cast<double>(v) * static_cast<double>(v);
    fit.loss.noise += squared_error(m, a, options.codes);
  }
  return fit;
}

TEST(Fit, IsThatOfEveryBlockWhereverItLies) {
  const std::vector<Blocks> all = {
      {{1, 1, 4800}, {1, 1, 4800}}, {{1, 40, 120}, {1, 1, 120}}, {{1, 40, 120}, {1, 1, 32}},
      {{1, 40, 120}, {1, 40, 1}},   {{1, 40, 120}, {1, 16, 1}},  {{10, 12, 40}, {10, 1, 40}},
      {{4, 30, 40}, {1, 16, 1}},    {{4, 30, 40}, {1, 1, 40}},   {{4, 30, 40}, {4, 30, 1}},
  };
  const std::vector<float> values = normals(4800, 9);
  const FitOptions options{code_range(4, false, false), false, Clip::kMse};
  for (const Blocks& blocks : all) {
    const Tensor weight = Tensor::of({4800}, std::span<const float>(values));
    const Fit want = plain_fit(values, blocks, options);
    for (const int threads : {1, 2, 5}) {
      set_threads(threads);
      const Fit have = fit(weight, blocks, options);
      EXPECT_EQ(have.scale, want.scale);
      EXPECT_EQ(have.zero, want.zero);
      EXPECT_DOUBLE_EQ(have.loss.noise, want.loss.noise);
      EXPECT_NEAR(have.loss.signal, want.loss.signal, want.loss.signal * 1e-6);
    }
  }
  set_threads(0);
}

TEST(Fit, ALargeTensorIsSearchedOnASample) {
  const std::vector<float> values = normals(3000000, 10);
  const Tensor weight = Tensor::of({3000000}, std::span<const float>(values));
  const Blocks blocks{{1, 1, 3000000}, {1, 1, 3000000}};
  const FitOptions options{code_range(4, true, false), true, Clip::kMse};
  const Fit f = fit(weight, blocks, options);
  const Affine a{f.scale[0], 0};
  EXPECT_NEAR(f.loss.noise, squared_error(values, a, options.codes), f.loss.noise * 1e-6);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  EXPECT_LE(f.loss.noise,
            squared_error(values, fit_block(values, *low, *high, options), options.codes) * 1.01);
}

TEST(Fit, WhatIsNotFiniteIsSeen) {
  std::vector<float> values = normals(100, 11);
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    values[50] = bad;
    EXPECT_FALSE(
        fit(Tensor::of({100}, std::span<const float>(values)), {{1, 10, 10}, {1, 1, 10}}, {}).finite);
  }
}

TEST(WeightBlocks, GroupsThatDivide) {
  EXPECT_EQ(dividing_group(64, 32), 32U);
  EXPECT_EQ(dividing_group(27, 32), 27U);
  EXPECT_EQ(dividing_group(147, 32), 21U);
  EXPECT_EQ(dividing_group(1000, 32), 25U);
  EXPECT_EQ(dividing_group(101, 32), 101U);
  EXPECT_EQ(dividing_group(74, 32), 37U);
}

}  // namespace
}  // namespace compressor::quantize

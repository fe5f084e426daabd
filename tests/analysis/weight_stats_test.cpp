// weight_stats: streamed norms and distances against plain loops.
#include "compressor/analysis/weight_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "compressor/base/error.h"
#include "compressor/base/random.h"
#include "compressor/base/threads.h"

namespace compressor {
namespace {

constexpr std::uint64_t kSeed = 20240611;

std::vector<double> normal_values(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> values(n);
  for (double& v : values) v = random.below(10) == 0 ? 0.0 : random.normal();
  return values;
}

Tensor weight_of(DType type, const Dims& dims, std::uint64_t seed = kSeed) {
  return Tensor::of(type, dims, normal_values(num_elements(dims), seed));
}

/// The same numbers, computed whenever they are read.
Tensor derived(const Tensor& of) {
  Tensor t = of;
  const Bytes source = of.bytes;
  t.bytes = Bytes::derive(
      source.size(), [source](std::uint64_t offset, std::span<std::byte> out) { source.read(offset, out); });
  return t;
}

std::size_t index_along(const Dims& dims, std::size_t axis, std::size_t position) {
  std::size_t inner = 1;
  for (std::size_t i = axis + 1; i < dims.size(); ++i) inner *= static_cast<std::size_t>(dims[i]);
  return position / inner % static_cast<std::size_t>(dims[axis]);
}

AxisNorms naive_norms(const Tensor& weight, std::size_t axis) {
  const auto dim = static_cast<std::size_t>(weight.shape[axis]);
  AxisNorms norms{.slice_size = weight.size() / dim,
                  .sum_abs = std::vector<double>(dim),
                  .sum_squares = std::vector<double>(dim),
                  .max_abs = std::vector<double>(dim),
                  .nonzeros = std::vector<std::int64_t>(dim)};
  const std::vector<float> values = to_floats(weight);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t at = index_along(weight.shape, axis, i);
    const double a = std::fabs(static_cast<double>(values[i]));
    norms.sum_abs[at] += a;
    norms.sum_squares[at] += a * a;
    norms.max_abs[at] = std::max(norms.max_abs[at], a);
    norms.nonzeros[at] += a != 0 ? 1 : 0;
  }
  return norms;
}

void expect_same(const AxisNorms& found, const AxisNorms& expected) {
  EXPECT_EQ(found.slice_size, expected.slice_size);
  EXPECT_EQ(found.nonzeros, expected.nonzeros);
  EXPECT_EQ(found.max_abs, expected.max_abs);
  ASSERT_EQ(found.sum_abs.size(), expected.sum_abs.size());
  for (std::size_t i = 0; i < expected.sum_abs.size(); ++i) {
    EXPECT_NEAR(found.sum_abs[i], expected.sum_abs[i], 1e-9 * expected.sum_abs[i]) << i;
    EXPECT_NEAR(found.sum_squares[i], expected.sum_squares[i], 1e-9 * expected.sum_squares[i]) << i;
  }
}

class AxisNormsOf : public testing::TestWithParam<std::pair<DType, Dims>> {};

TEST_P(AxisNormsOf, EveryAxisEqualsAPlainLoop) {
  const auto& [type, dims] = GetParam();
  const Tensor weight = weight_of(type, dims);
  std::vector<std::int64_t> axes;
  for (std::size_t a = 0; a < dims.size(); ++a) axes.push_back(static_cast<std::int64_t>(a));
  const std::vector<AxisNorms> together = axis_norms(weight, axes);
  const std::vector<AxisNorms> of_derived = axis_norms(derived(weight), axes);
  for (std::size_t a = 0; a < dims.size(); ++a) {
    SCOPED_TRACE(fmt::format("axis {} of {}", a, to_string(dims)));
    expect_same(together[a], naive_norms(weight, a));
    const AxisNorms alone = axis_norms(weight, static_cast<std::int64_t>(a) - weight.rank());
    EXPECT_EQ(alone.sum_abs, together[a].sum_abs);
    EXPECT_EQ(of_derived[a].sum_abs, together[a].sum_abs);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, AxisNormsOf,
    testing::Values(std::pair{DType::kFloat, Dims{7}}, std::pair{DType::kFloat, Dims{8, 3, 3, 3}},
                    std::pair{DType::kFloat, Dims{5, 70000}},        // runs longer than a block
                    std::pair{DType::kFloat, Dims{700, 1501}},       // more than one chunk, none of them even
                    std::pair{DType::kFloat, Dims{3, 200, 41, 53}},  // axes that go round within a chunk
                    std::pair{DType::kFloat16, Dims{16, 9, 3, 3}}, std::pair{DType::kBFloat16, Dims{33, 65}},
                    std::pair{DType::kDouble, Dims{4, 5, 6}}, std::pair{DType::kInt8, Dims{4, 5, 6}}));

TEST(AxisNorms, SameBitsAtAnyNumberOfThreads) {
  const Tensor weight = weight_of(DType::kFloat, {640, 1000, 2, 2});
  const int before = threads();
  const std::vector<std::int64_t> axes = {0, 1};
  set_threads(1);
  const auto one = axis_norms(weight, axes);
  set_threads(2);
  const auto two = axis_norms(weight, axes);
  set_threads(before);
  for (std::size_t a = 0; a < 2; ++a) {
    EXPECT_EQ(one[a].sum_abs, two[a].sum_abs);
    EXPECT_EQ(one[a].sum_squares, two[a].sum_squares);
  }
}

TEST(AxisNorms, EmptyWeightHasZeros) {
  const AxisNorms norms = axis_norms(Tensor::of({4, 0}, std::span<const float>()), 0);
  EXPECT_EQ(norms.sum_abs, std::vector<double>(4, 0.0));
  EXPECT_EQ(norms.slice_size, 0U);
}

TEST(AxisNorms, RefusesAnAxisOutsideTheRank) {
  EXPECT_THROW(axis_norms(weight_of(DType::kFloat, {2, 3}), 2), Error);
}

std::vector<double> naive_distances(const Tensor& weight, std::size_t axis,
                                    const std::vector<std::int64_t>& unit_of, std::size_t n) {
  const std::vector<float> values = to_floats(weight);
  std::vector<std::vector<double>> rows(n);
  for (std::size_t position = 0; position < unit_of.size(); ++position) {
    if (unit_of[position] < 0) continue;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (index_along(weight.shape, axis, i) == position)
        rows[static_cast<std::size_t>(unit_of[position])].push_back(static_cast<double>(values[i]));
    }
  }
  std::vector<double> distances(n * n);
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = 0; b < n; ++b) {
      double sum = 0;
      for (std::size_t i = 0; i < std::max(rows[a].size(), rows[b].size()); ++i) {
        const double x = i < rows[a].size() ? rows[a][i] : 0;
        const double y = i < rows[b].size() ? rows[b][i] : 0;
        sum += (x - y) * (x - y);
      }
      distances[a * n + b] = std::sqrt(sum);
    }
  }
  return distances;
}

std::vector<std::int64_t> identity(std::int64_t n) {
  std::vector<std::int64_t> units;
  for (std::int64_t i = 0; i < n; ++i) units.push_back(i);
  return units;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5) << i;
}

TEST(PairwiseDistances, EveryAxisEqualsAPlainLoop) {
  const Tensor weight = weight_of(DType::kFloat, {150, 6, 3, 3});
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto n = static_cast<std::size_t>(weight.shape[axis]);
    const auto expected = naive_distances(weight, axis, identity(weight.shape[axis]), n);
    expect_near(pairwise_distances(weight, static_cast<std::int64_t>(axis)), expected);
    expect_near(pairwise_distances(derived(weight), static_cast<std::int64_t>(axis) - 4), expected);
  }
}

TEST(PairwiseDistances, UnitsOfSeveralSlicesAndPositionsLeftOut) {
  const Tensor weight = weight_of(DType::kFloat16, {5, 9, 2});
  const std::vector<std::int64_t> units = {0, 1, 2, -1, 2, 1, 0, 0, 1};  // unit 2 has one slice less
  expect_near(pairwise_distances(weight, 1, units), naive_distances(weight, 1, units, 3));
}

TEST(PairwiseDistances, WeightsThatAreNotHeldWhole) {
  // Past the bound up to which a weight is read at once: long runs along axis 0, short ones along axis 1.
  const Tensor weight = weight_of(DType::kFloat, {2100, 2003});
  const std::vector<float> values = to_floats(weight);
  const auto at = [&](std::size_t i, std::size_t j) { return static_cast<double>(values[i * 2003 + j]); };
  std::vector<std::int64_t> some(2100, -1);
  some[3] = 0;
  some[2099] = 1;
  double rows = 0;
  for (std::size_t j = 0; j < 2003; ++j) rows += std::pow(at(3, j) - at(2099, j), 2);
  EXPECT_NEAR(pairwise_distances(weight, 0, some)[1], std::sqrt(rows), 1e-9);
  some.assign(2003, -1);
  some[0] = 1;
  some[1999] = 0;
  double cols = 0;
  for (std::size_t i = 0; i < 2100; ++i) cols += std::pow(at(i, 0) - at(i, 1999), 2);
  EXPECT_NEAR(pairwise_distances(weight, 1, some)[1], std::sqrt(cols), 1e-9);
}

TEST(PairwiseDistances, EqualSlicesAreNearZeroAndSquaresAddUp) {
  std::vector<double> values = normal_values(6 * 40, kSeed);
  std::copy_n(values.begin(), 40, values.begin() + 200);  // slice 5 is slice 0
  const Tensor weight = Tensor::of(DType::kFloat, {6, 40}, values);
  EXPECT_NEAR(pairwise_distances(weight, 0)[5], 0.0, 1e-6);
  std::vector<double> squares(36, 1.0);
  add_pairwise_squares(weight, 0, {}, 6, squares);
  EXPECT_NEAR(squares[1], 1.0 + std::pow(pairwise_distances(weight, 0)[1], 2), 1e-9);
  EXPECT_EQ(squares[0], 1.0);
}

TEST(PairwiseDistances, SameBitsAtAnyNumberOfThreads) {
  const Tensor weight = weight_of(DType::kFloat, {300, 700});
  const int before = threads();
  set_threads(1);
  const auto one = pairwise_distances(weight, 0);
  set_threads(2);
  const auto two = pairwise_distances(weight, 0);
  set_threads(before);
  EXPECT_EQ(one, two);
}

}  // namespace
}  // namespace compressor

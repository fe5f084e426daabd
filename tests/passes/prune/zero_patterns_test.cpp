// zero_patterns: kernels, N of M inputs, and blocks set to zero: which of them, and what does not divide.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"
#include "passes/prune/small_nets.h"
#include "passes/prune/zeroed.h"

namespace compressor::prune {
namespace {

using namespace testing_nets;
using testing::ElementsAre;
using testing::HasSubstr;
using Granularity = ZeroingOptions::Granularity;
using Criterion = ZeroingOptions::Criterion;

TEST(ZeroKernel, TakesTheSlicesOfLeastNorm) {
  for (const Criterion criterion : {Criterion::kL1, Criterion::kL2}) {
    const Tensor before = weight({6, 5, 3, 3});
    Model model = one_layer("Conv", {1, 5, 9, 9}, before);
    const PassContext context =
        pruned(model, {.granularity = Granularity::kKernel, .criterion = criterion, .ratio = 0.4});
    EXPECT_EQ(context.result.eligible, 30);
    EXPECT_EQ(context.result.done, 12);
    EXPECT_EQ(context.result.unit, "kernels");
    std::vector<double> values = to_doubles(before);
    std::vector<std::pair<double, std::size_t>> norms;
    for (std::size_t k = 0; k < 30; ++k) {
      double norm = 0;
      for (std::size_t i = 0; i < 9; ++i) {
        const double v = std::fabs(values[k * 9 + i]);
        norm += criterion == Criterion::kL1 ? v : v * v;
      }
      norms.emplace_back(norm, k);
    }
    std::sort(norms.begin(), norms.end());
    for (std::size_t n = 0; n < 12; ++n)
      std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(norms[n].second * 9), 9, 0);
    EXPECT_EQ(to_doubles(weight_in(model)), values) << "seed " << kSeed;
  }
}

TEST(ZeroKernel, LeavesDepthwisePointwiseAndMatricesAlone) {
  const auto why = [](Model model) -> std::string {
    PassContext context;
    try {
      prune_by_zeroing(model, {.granularity = Granularity::kKernel}, context);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kTarget);
      return error.what();
    }
    return "";
  };
  std::vector<Attribute> groups;
  groups.emplace_back("group", std::int64_t{4});
  EXPECT_THAT(why(one_layer("Conv", {1, 4, 9, 9}, weight({4, 1, 3, 3}), std::move(groups))),
              HasSubstr("depthwise"));
  EXPECT_THAT(why(one_layer("Conv", {1, 4, 9, 9}, weight({8, 4, 1, 1}))), HasSubstr("single weight"));
  EXPECT_THAT(why(one_layer("MatMul", {1, 4}, weight({4, 4}))), HasSubstr("no kernels"));
}

/// Checks every group of m inputs: m - n zeros, and none of them larger than what stays.
void expect_nm(const Tensor& before, const Tensor& after, std::size_t inputs, std::size_t stride,
               std::size_t n, std::size_t m) {
  const std::vector<double> old = to_doubles(before);
  const std::vector<double> now = to_doubles(after);
  const std::size_t plane = inputs * stride;
  for (std::size_t at = 0; at < old.size(); ++at) {
    const std::size_t input = at % plane / stride;
    if (now[at] != 0) {
      EXPECT_EQ(now[at], old[at]);
    }
    if (input / m == inputs / m) {
      EXPECT_EQ(now[at], old[at]) << "the tail stays, at " << at;
      continue;
    }
    if (input % m != 0) continue;
    std::size_t zeros = 0;
    double largest_gone = 0, smallest_left = INFINITY;
    for (std::size_t i = 0; i < m; ++i) {
      const double v = std::fabs(old[at + i * stride]);
      if (now[at + i * stride] == 0) {
        ++zeros;
        largest_gone = std::max(largest_gone, v);
      } else {
        smallest_left = std::min(smallest_left, v);
      }
    }
    EXPECT_EQ(zeros, m - n) << "at " << at;
    EXPECT_LE(largest_gone, smallest_left) << "at " << at << ", seed " << kSeed;
  }
}

TEST(ZeroNm, RunsAlongTheInputsOfEveryOperator) {
  const auto check = [](Model model, std::size_t inputs, std::size_t stride, std::int64_t n, std::int64_t m) {
    const Tensor before = weight_in(model);
    pruned(model, {.granularity = Granularity::kNm, .n = n, .m = m});
    const Tensor after = weight_in(model);
    expect_nm(before, after, inputs, stride, static_cast<std::size_t>(n), static_cast<std::size_t>(m));
    const BytesView whole = after.bytes.view();  // and any range of it is the same
    for (std::uint64_t from = 0; from < whole.size(); from += 37) {
      std::vector<std::byte> part(std::min<std::uint64_t>(53, whole.size() - from));
      after.bytes.read(from, part);
      ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.data() + from)) << from;
    }
  };
  check(one_layer("Conv", {1, 8, 9, 9}, weight({6, 8, 3, 3})), 8, 9, 2, 4);
  check(one_layer("Conv", {1, 10, 9, 9}, weight({6, 10, 3, 3}, DType::kFloat16)), 10, 9, 2,
        4);  // a tail of 2
  check(one_layer("ConvTranspose", {1, 8, 9, 9}, weight({8, 3, 2, 2})), 8, 12, 1, 4);
  check(one_layer("MatMul", {2, 11}, weight({11, 5}, DType::kDouble)), 11, 5, 3, 8);
  check(one_layer("MatMul", {2, 3, 8, 4}, weight({3, 4, 5})), 4, 5, 2, 4);
  std::vector<Attribute> transposed;
  transposed.emplace_back("transB", std::int64_t{1});
  check(one_layer("Gemm", {2, 14}, weight({5, 14}, DType::kBFloat16), std::move(transposed)), 14, 1, 1, 2);
  check(one_layer("Gemm", {2, 12}, weight({12, 7})), 12, 7, 2, 4);
}

TEST(ZeroNm, SaysWhatIsLeftOver) {
  Model model = one_layer("MatMul", {1, 11}, weight({11, 5}));
  const PassContext context = pruned(model, {.granularity = Granularity::kNm});
  EXPECT_EQ(context.result.eligible, 40);
  EXPECT_EQ(context.result.done, 20);
  EXPECT_THAT(context.result.layers.at(0).detail, HasSubstr("2:4 along 11 inputs, the last 3 of them stay"));
}

TEST(ZeroNm, RefusesAWeightReadAlongDifferentAxes) {
  Model model = one_layer("MatMul", {4, 8}, weight({8, 8}));
  Graph& g = *model.graph;
  std::vector<Attribute> transposed;
  transposed.emplace_back("transB", std::int64_t{1});
  g.add_output(*g.add_node({.op = "Gemm",
                            .inputs = {g.find("y"), g.find("w")},
                            .outputs = {"z"},
                            .attributes = std::move(transposed),
                            .name = "other"})
                    .output(0));
  PassContext context;
  EXPECT_THROW(prune_by_zeroing(model, {.granularity = Granularity::kNm}, context), Error);
  EXPECT_THAT(reasons(context), ElementsAre(HasSubstr("along different axes")));
}

/// Naive block pruning of a matrix [rows, cols] times `inner`.
std::vector<double> zero_blocks_of(std::vector<double> values, std::size_t rows, std::size_t cols,
                                   std::size_t inner, std::size_t tall, std::size_t wide, double ratio) {
  struct Block {
    double score;
    std::size_t row, col;
  };
  std::vector<Block> blocks;
  const auto each = [&](const Block& b, const auto& visit) {
    for (std::size_t r = b.row; r < std::min(rows, b.row + tall); ++r) {
      for (std::size_t c = b.col; c < std::min(cols, b.col + wide); ++c) {
        for (std::size_t k = 0; k < inner; ++k) visit(values[(r * cols + c) * inner + k]);
      }
    }
  };
  for (std::size_t r = 0; r < rows; r += tall) {
    for (std::size_t c = 0; c < cols; c += wide) {
      Block b{.score = 0, .row = r, .col = c};
      double count = 0;
      each(b, [&](double v) { b.score += v * v, count += 1; });
      b.score /= count;
      blocks.push_back(b);
    }
  }
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const Block& a, const Block& b) { return a.score < b.score; });
  const auto gone = static_cast<std::size_t>(ratio * static_cast<double>(blocks.size()));
  for (std::size_t i = 0; i < gone; ++i) each(blocks[i], [](double& v) { v = 0; });
  return values;
}

TEST(ZeroBlock, TakesBlocksOfOutputsTimesInputs) {
  const ZeroingOptions options{
      .granularity = Granularity::kBlock, .ratio = 0.5, .block_out = 4, .block_in = 2};
  const Tensor matrix = weight({11, 10});  // [inputs, outputs]: 6 x 3 blocks, smaller ones at both ends
  Model product = one_layer("MatMul", {1, 11}, matrix);
  const PassContext context = pruned(product, options);
  EXPECT_EQ(to_doubles(weight_in(product)), zero_blocks_of(to_doubles(matrix), 11, 10, 1, 2, 4, 0.5));
  EXPECT_EQ(context.result.eligible, 18);
  EXPECT_EQ(context.result.done, 9);

  const Tensor taps = weight({9, 6, 3, 3});
  Model conv = one_layer("Conv", {1, 6, 9, 9}, taps);
  pruned(conv, options);
  EXPECT_EQ(to_doubles(weight_in(conv)), zero_blocks_of(to_doubles(taps), 9, 6, 9, 4, 2, 0.5));

  const Tensor wide = weight({300, 700});  // longer than what is read at once
  Model large = one_layer("MatMul", {1, 300}, wide);
  pruned(large, {.granularity = Granularity::kBlock, .ratio = 0.5, .block_out = 7, .block_in = 299});
  EXPECT_EQ(to_doubles(weight_in(large)), zero_blocks_of(to_doubles(wide), 300, 700, 1, 299, 7, 0.5));
}

TEST(ZeroBlock, LeavesWhatIsSmallerThanABlock) {
  Model model = one_layer("MatMul", {1, 3}, weight({3, 10}));
  PassContext context;
  EXPECT_THROW(prune_by_zeroing(model, {.granularity = Granularity::kBlock}, context), Error);
  EXPECT_THAT(reasons(context),
              ElementsAre(HasSubstr("has 10 outputs x 3 inputs, less than one block of 4x4")));
}

TEST(ZeroTiles, GlobalRankingComparesMeansSoThatSizesDoNotMatter) {
  Model model = empty_model();
  Graph& g = *model.graph;
  const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {1, 2, 9, 9}));
  // Kernels of 3x3 with values of 1 against kernels of 5x5 with values of 0.9: the large ones go.
  const std::vector<double> ones(36, 1.0);
  const std::vector<double> less(100, 0.9);
  const Value* a = g.add_initializer("a", Tensor::of(DType::kFloat, {2, 2, 3, 3}, ones));
  const Value* b = g.add_initializer("b", Tensor::of(DType::kFloat, {2, 2, 5, 5}, less));
  g.add_output(*g.add_node({.op = "Conv", .inputs = {x, a}, .outputs = {"p"}}).output(0));
  g.add_output(*g.add_node({.op = "Conv", .inputs = {x, b}, .outputs = {"q"}}).output(0));
  pruned(model, {.granularity = Granularity::kKernel, .ratio = 0.5, .global = true});
  EXPECT_EQ(zeros_of(weight_in(model, "a")), 0U);
  EXPECT_EQ(zeros_of(weight_in(model, "b")), 100U);
}

}  // namespace
}  // namespace compressor::prune

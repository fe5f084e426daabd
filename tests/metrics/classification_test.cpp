// classification_test: top-k and cross-entropy against plain re-computations, and what they refuse.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "metrics/made.h"

namespace compressor {
namespace {

using ::testing::HasSubstr;

struct Batch {
  std::size_t rows = 0, classes = 0;
  std::vector<float> scores;
  std::vector<std::int64_t> labels;
  Outputs outputs() const {
    return made::output("logits", {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(classes)},
                        scores);
  }
};

Batch random_batch(Random& random, std::size_t rows, std::size_t classes) {
  Batch b{.rows = rows, .classes = classes, .scores = made::noise(random, rows * classes, 3), .labels = {}};
  for (std::size_t i = 0; i < rows; ++i) b.labels.push_back(static_cast<std::int64_t>(random.below(classes)));
  return b;
}

/// By sorting all classes of every row.
double by_sorting(const std::vector<Batch>& batches, std::size_t k) {
  double right = 0, all = 0;
  for (const Batch& b : batches) {
    for (std::size_t i = 0; i < b.rows; ++i) {
      std::vector<std::size_t> order(b.classes);
      std::iota(order.begin(), order.end(), std::size_t{0});
      const auto score = [&](std::size_t c) { return b.scores[i * b.classes + c]; };
      std::stable_sort(order.begin(), order.end(), [&](auto x, auto y) { return score(x) > score(y); });
      const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(k, b.classes));
      right += std::find(order.begin(), end, static_cast<std::size_t>(b.labels[i])) != end ? 1 : 0;
      all += 1;
    }
  }
  return 100 * right / all;
}

TEST(Classification, TopKIsWhatSortingSays) {
  made::Seeded random(11);
  for (const std::size_t classes : {2U, 5U, 13U, 100U}) {
    std::vector<Batch> batches;
    const auto top1 = make_metric("top1"), top5 = make_metric("top5");
    for (int n = 0; n < 4; ++n) {
      batches.push_back(random_batch(random, 1 + random.below(7), classes));
      // a few equal scores
      if (n % 2 == 0) batches.back().scores[0] = batches.back().scores[classes - 1] = 9;
      const auto items = made::labelled(batches.back().labels);
      for (const auto* metric : {&top1, &top5}) (*metric)->update(batches.back().outputs(), {.items = items});
    }
    EXPECT_DOUBLE_EQ(top1->value(), by_sorting(batches, 1)) << classes;
    EXPECT_DOUBLE_EQ(top5->value(), by_sorting(batches, 5)) << classes;
  }
}

TEST(Classification, CrossEntropyOfLogitsAndOfProbabilities) {
  made::Seeded random(12);
  Batch b = random_batch(random, 6, 9);
  double expected = 0;
  std::vector<float> probabilities;
  for (std::size_t i = 0; i < 6; ++i) {
    double sum = 0;
    for (std::size_t c = 0; c < 9; ++c) sum += std::exp(static_cast<double>(b.scores[i * 9 + c]));
    for (std::size_t c = 0; c < 9; ++c)
      probabilities.push_back(static_cast<float>(std::exp(static_cast<double>(b.scores[i * 9 + c])) / sum));
    expected -=
        std::log(std::exp(static_cast<double>(b.scores[i * 9 + static_cast<std::size_t>(b.labels[i])])) /
                 sum) /
        6;
  }
  EXPECT_NEAR(made::once("cross_entropy", b.outputs(), made::labelled(b.labels)), expected, 1e-9);
  EXPECT_NEAR(made::once("cross_entropy", made::output("p", {6, 9}, probabilities), made::labelled(b.labels)),
              expected, 1e-5);
}

TEST(Classification, TrailingOnesBatchOfOneAndChosenClasses) {
  const std::vector<float> scores = {1, 3, 2, 5, 4, 0};
  EXPECT_EQ(made::once("top1", made::output("y", {2, 3, 1, 1}, scores), made::labelled({1, 0})), 100);
  EXPECT_EQ(made::once("top1", made::output("y", {6}, scores), made::labelled({3})), 100);
  EXPECT_EQ(
      made::once("top1", made::output("y", {2}, std::vector<std::int64_t>{4, 7}), made::labelled({4, 8})),
      50);
  EXPECT_EQ(made::once("top1:offset=1", made::output("y", {2, 3}, scores), made::labelled({0, 0})), 50);
}

TEST(Classification, NotANumberIsNeverRight) {
  const float nan = std::nanf("");
  EXPECT_EQ(
      made::once("top1", made::output("y", {1, 3}, std::vector<float>{nan, nan, nan}), made::labelled({0})),
      0);
  EXPECT_EQ(made::once("top1", made::output("y", {1, 3}, std::vector<float>{1, 2, nan}), made::labelled({1})),
            0);
}

TEST(Classification, FillingOfTheLastBatchDoesNotCount) {
  const auto metric = make_metric("top1");
  const auto items = made::labelled({0, 1});
  metric->update(made::output("y", {4, 2}, std::vector<float>{1, 0, 0, 1, 1, 0, 1, 0}),
                 {.items = items, .rows = 4});
  EXPECT_EQ(metric->value(), 100);
}

TEST(Classification, TheOutputThatFitsIsRead) {
  const std::vector<float> four = {0, 1, 1, 0};
  Outputs outputs = made::output("features", {2, 1, 2, 2}, std::vector<float>(8, 0.F));
  outputs.push_back(made::output("a", {2, 2}, four)[0]);
  const auto items = made::labelled({1, 0});
  EXPECT_EQ(made::once("top1", outputs, items), 100);
  outputs.push_back(made::output("b", {2, 3}, std::vector<float>{1, 0, 0, 1, 0, 0})[0]);
  EXPECT_THAT(made::refused([&] { made::once("top1", outputs, items); }),
              HasSubstr("choose one with top1:output=a"));
  EXPECT_EQ(made::once("top1:output=b", outputs, items), 50);
  EXPECT_EQ(made::once("top1", outputs, items, {.classes = {"x", "y"}, .void_label = {}}), 100);
  outputs[1].first = "logits";
  EXPECT_EQ(made::once("top1", outputs, items), 100);
}

TEST(Classification, RefusalsNameTheOutputWhatItIsAndWhatWasExpected) {
  const Outputs good = made::output("logits", {1, 3}, std::vector<float>{1, 2, 3});
  EXPECT_EQ(made::refused([&] { made::once("top1", good, made::labelled({3})); }),
            "top1: output 'logits' (float32 1x3): sample 'sample0' has label 3, expected 0 to 2");
  EXPECT_EQ(made::refused([&] { made::once("top1", good, made::items(1)); }),
            "top1: sample 'sample0' has no class label, expected one for each sample");
  const Outputs wide = made::output("map", {1, 3, 2, 2}, std::vector<float>(12, 0.F));
  EXPECT_EQ(made::refused([&] { made::once("top5", wide, made::labelled({0})); }),
            "top5: outputs are map (float32 1x3x2x2), expected scores 1 x classes");
  EXPECT_EQ(made::refused([&] { made::once("top1:output=map", wide, made::labelled({0})); }),
            "top1: output 'map' (float32 1x3x2x2), expected scores 1 x classes");
  EXPECT_THAT(made::refused([&] { made::once("top1:output=logit", good, made::labelled({0})); }),
              HasSubstr("no output 'logit', found logits (float32 1x3); did you mean 'logits'?"));
  EXPECT_EQ(made::refused([] { make_metric("top1")->value(); }), "top1: no samples");
}

}  // namespace
}  // namespace compressor

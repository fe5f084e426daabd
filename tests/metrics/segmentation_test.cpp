// segmentation_test: mean intersection over union against sets of pixels, in every layout.
#include <gmock/gmock.h>

#include <set>

#include "metrics/made.h"

namespace compressor {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kHeight = 5, kWidth = 7, kClasses = 4, kVoid = 9;

struct Scene {
  std::vector<float> scores;               // [C, H, W]
  std::vector<std::int64_t> truth, found;  // [H, W]
};

Scene random_scene(Random& random) {
  Scene s{.scores = made::noise(random, kClasses * kHeight * kWidth), .truth = {}, .found = {}};
  for (std::int64_t p = 0; p < kHeight * kWidth; ++p) {
    std::int64_t best = 0;
    for (std::int64_t c = 1; c < kClasses; ++c) {
      if (s.scores[static_cast<std::size_t>(c * kHeight * kWidth + p)] >
          s.scores[static_cast<std::size_t>(best * kHeight * kWidth + p)])
        best = c;
    }
    s.found.push_back(best);
    const std::uint64_t kind = random.below(10);
    std::int64_t truth = best;
    if (kind < 4)
      truth = static_cast<std::int64_t>(random.below(kClasses - 1));  // the last class is never true
    if (kind == 8) truth = kVoid;
    if (kind == 9) truth = Truth::kOutside;
    s.truth.push_back(truth);
  }
  return s;
}

std::vector<BatchItem> masks(const std::vector<Scene>& scenes) {
  std::vector<BatchItem> items = made::items(scenes.size());
  for (std::size_t i = 0; i < scenes.size(); ++i) {
    Image mask(kHeight, kWidth, 1);
    for (std::size_t p = 0; p < mask.pixels.size(); ++p)
      mask.pixels[p] = static_cast<std::uint8_t>(scenes[i].truth[p]);
    items[i].truth.mask = mask;
  }
  return items;
}

/// With a set of pixels for each class and side.
double by_sets(const std::vector<Scene>& scenes) {
  double sum = 0;
  int present = 0;
  for (std::int64_t c = 0; c < kClasses; ++c) {
    std::set<std::size_t> truth, found;
    std::size_t at = 0, both = 0;
    for (const Scene& s : scenes) {
      for (std::size_t p = 0; p < s.truth.size(); ++p, ++at) {
        if (s.truth[p] == kVoid || s.truth[p] == Truth::kOutside) continue;
        if (s.truth[p] == c) truth.insert(at);
        if (s.found[p] == c) found.insert(at);
        both += s.truth[p] == c && s.found[p] == c ? 1 : 0;
      }
    }
    std::set<std::size_t> either = truth;
    either.insert(found.begin(), found.end());
    if (either.empty()) continue;
    sum += static_cast<double>(both) / static_cast<double>(either.size());
    ++present;
  }
  return sum / present;
}

std::vector<float> stacked(const std::vector<Scene>& scenes, bool channels_last) {
  std::vector<float> all;
  for (const Scene& s : scenes) {
    for (std::size_t i = 0; i < s.scores.size(); ++i) {
      const std::size_t plane = kHeight * kWidth;
      all.push_back(channels_last ? s.scores[(i % kClasses) * plane + i / kClasses] : s.scores[i]);
    }
  }
  return all;
}

TEST(MeanIou, EveryLayoutAgreesWithSetsOfPixels) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    made::Seeded random(seed);
    const std::vector<Scene> scenes = {random_scene(random), random_scene(random), random_scene(random)};
    const double expected = by_sets(scenes);
    const auto items = masks(scenes);
    EXPECT_DOUBLE_EQ(
        made::once("miou:void=9", made::output("y", {3, kClasses, kHeight, kWidth}, stacked(scenes, false)),
                   items),
        expected);
    EXPECT_DOUBLE_EQ(
        made::once("miou", made::output("y", {3, kHeight, kWidth, kClasses}, stacked(scenes, true)), items,
                   {.classes = {}, .void_label = kVoid}),
        expected);
    std::vector<std::int64_t> found;
    for (const Scene& s : scenes) found.insert(found.end(), s.found.begin(), s.found.end());
    EXPECT_DOUBLE_EQ(made::once("miou:void=9", made::output("y", {3, kHeight, kWidth}, found), items),
                     expected);
    EXPECT_DOUBLE_EQ(made::once("miou:void=9", made::output("y", {3, 1, kHeight, kWidth}, found), items),
                     expected);

    const auto first = make_metric("miou:void=9"), second = make_metric("miou:void=9");
    const auto one = masks({scenes[0]}), rest = masks({scenes[1], scenes[2]});
    first->update(made::output("y", {1, kClasses, kHeight, kWidth}, stacked({scenes[0]}, false)),
                  {.items = one});
    second->update(made::output("y", {2, kClasses, kHeight, kWidth}, stacked({scenes[1], scenes[2]}, false)),
                   {.items = rest});
    first->merge(*second);
    EXPECT_DOUBLE_EQ(first->value(), expected);
  }
}

TEST(MeanIou, SmallerMapsAreResized) {
  auto items = made::items(1);
  Image mask(4, 8, 1, 0);
  for (std::int64_t y = 0; y < 4; ++y) {
    for (std::int64_t x = 4; x < 8; ++x) mask.row(y)[x] = 1;
  }
  items[0].truth.mask = mask;
  const std::vector<float> scores = {1, 0, 1, 0, 0, 1, 0, 1};  // 2 classes of 2x2: left, right
  EXPECT_EQ(made::once("miou", made::output("y", {1, 2, 2, 2}, scores), items), 1);
  EXPECT_EQ(made::once("miou", made::output("y", {1, 2, 2}, std::vector<std::int64_t>{0, 1, 0, 1}), items),
            1);
  // One class twice as sure: the border between centres 1 and 3 pixels apart moves by a third of the way.
  const std::vector<float> surer = {2, 0, 2, 0, 0, 1, 0, 1};
  EXPECT_NEAR(made::once("miou", made::output("y", {1, 2, 2, 2}, surer), items), (16.0 / 20 + 12.0 / 16) / 2,
              1e-12);
}

TEST(MeanIou, RefusesWhatDoesNotFit) {
  auto items = made::items(1);
  const Outputs scores = made::output("y", {1, 3, 2, 2}, std::vector<float>(12, 0.F));
  EXPECT_EQ(made::refused([&] { made::once("miou", scores, items); }),
            "miou: sample 'sample0' has no mask, expected one");
  items[0].truth.mask = Image(2, 2, 1, 3);
  EXPECT_THAT(made::refused([&] { made::once("miou", scores, items); }),
              HasSubstr("output 'y' (float32 1x3x2x2): the mask of 'sample0' has class 3, expected 0 to 2"));
  EXPECT_EQ(made::refused([&] { made::once("miou:void=3", scores, items); }), "miou: no pixels of any class");
  EXPECT_EQ(
      made::refused([&] {
        made::once("miou", made::output("y", {1, 3}, std::vector<float>(3, 0.F)), items);
      }),
      "miou: outputs are y (float32 1x3), expected scores 1 x classes x height x width, or class indices");
}

}  // namespace
}  // namespace compressor

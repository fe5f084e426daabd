// coco_ap_test: average precision against another way to compute it, on random boxes, and cases known by
// hand.
#include "metrics/coco_ap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "metrics/made.h"

namespace compressor::metrics {
namespace {

struct Picture {
  std::vector<Detection> found;
  std::vector<Box> objects;
};

Box random_box(made::Seeded& random, std::int64_t classes) {
  Box b{.x1 = random.between(0, 80), .y1 = random.between(0, 80)};
  b.x2 = b.x1 + random.between(2, 40);
  b.y2 = b.y1 + random.between(2, 40);
  b.label = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes)));
  return b;
}

/// Objects, and boxes around most of them that are off by a little or a lot.
Picture random_picture(made::Seeded& random, std::int64_t classes) {
  Picture p;
  for (std::uint64_t n = random.below(9); n > 0; --n) {
    Box b = random_box(random, classes);
    b.crowd = random.below(8) == 0;
    b.difficult = random.below(6) == 0;
    p.objects.push_back(b);
    for (std::uint64_t copies = random.below(4); copies > 0; --copies) {
      const double size = random.below(2) == 0 ? 1 : 6;
      Box near = b;
      near.x1 += random.between(-size, size);
      near.x2 = std::max(near.x1, near.x2 + random.between(-size, size));
      near.y1 += random.between(-size, size);
      near.y2 = std::max(near.y1, near.y2 + random.between(-size, size));
      if (random.below(7) == 0)
        near.label = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes)));
      near.crowd = near.difficult = false;
      // one score of ten occurs often
      p.found.push_back({.box = near, .score = std::round(random.uniform() * 40) / 40});
    }
  }
  for (std::uint64_t n = random.below(4); n > 0; --n)
    p.found.push_back({.box = random_box(random, classes), .score = random.uniform()});
  return p;
}

/// IoU by counting the overlap's sides one at a time: independent of detection.h.
double overlap_of(const Box& d, const Box& g) {
  const double left = d.x1 > g.x1 ? d.x1 : g.x1, right = d.x2 < g.x2 ? d.x2 : g.x2;
  const double top = d.y1 > g.y1 ? d.y1 : g.y1, bottom = d.y2 < g.y2 ? d.y2 : g.y2;
  if (right <= left || bottom <= top) return 0;
  const double both = (right - left) * (bottom - top);
  const double mine = (d.x2 - d.x1) * (d.y2 - d.y1), theirs = (g.x2 - g.x1) * (g.y2 - g.y1);
  return both / (g.crowd ? mine : mine + theirs - both);
}

struct Outcome {
  double score = 0;
  bool right = false;
};

/// What becomes of the boxes of one class in one picture, in two searches: one through the objects that count
/// and, when that finds none, one through those that do not.
void judge(const Picture& p, std::int64_t label, double t, std::size_t max_dets,
           std::vector<Outcome>& outcomes) {
  std::vector<Detection> found;
  for (const Detection& d : p.found) {
    if (d.box.label == label) found.push_back(d);
  }
  std::stable_sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.score > b.score; });
  if (found.size() > max_dets) found.resize(max_dets);
  std::set<std::size_t> gone;
  for (const Detection& d : found) {
    std::optional<std::size_t> real, other;
    for (std::size_t g = 0; g < p.objects.size(); ++g) {
      const Box& object = p.objects[g];
      if (object.label != label || overlap_of(d.box, object) < t) continue;
      const bool free = gone.count(g) == 0 || object.crowd;
      if (!free) continue;
      std::optional<std::size_t>& best = object.crowd || object.difficult ? other : real;
      if (!best || overlap_of(d.box, object) >= overlap_of(d.box, p.objects[*best])) best = g;
    }
    if (real) gone.insert(*real);
    if (!real && other) gone.insert(*other);
    if (real || !other) outcomes.push_back({d.score, real.has_value()});
  }
}

/// Mean over classes of the mean over recalls of the best precision at that recall or beyond.
double brute(const std::vector<Picture>& pictures, std::int64_t classes, double t, std::size_t max_dets) {
  double sum = 0;
  int present = 0;
  for (std::int64_t label = 0; label < classes; ++label) {
    std::vector<Outcome> outcomes;
    double objects = 0;
    for (const Picture& p : pictures) {
      judge(p, label, t, max_dets, outcomes);
      for (const Box& b : p.objects) objects += b.label == label && !b.crowd && !b.difficult ? 1 : 0;
    }
    if (objects == 0) continue;
    ++present;
    std::stable_sort(outcomes.begin(), outcomes.end(), [](auto& a, auto& b) { return a.score > b.score; });
    for (int r = 0; r <= 100; ++r) {
      double best = 0, right = 0;
      for (std::size_t n = 0; n < outcomes.size(); ++n) {
        right += outcomes[n].right ? 1 : 0;
        if (right / objects >= (r == 100 ? 1.0 : r * 0.01))
          best = std::max(best, right / static_cast<double>(n + 1));
      }
      sum += best / 101;
    }
  }
  return sum / present;
}

TEST(CocoAp, RandomBoxesAgreeWithBruteForce) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    made::Seeded random(seed);
    const auto classes = static_cast<std::int64_t>(1 + random.below(4));
    const std::size_t max_dets = seed % 3 == 0 ? 2 : 100;
    std::vector<Picture> pictures;
    CocoAp ap(static_cast<std::int64_t>(max_dets)), first(static_cast<std::int64_t>(max_dets)),
        second(static_cast<std::int64_t>(max_dets));
    for (int n = 0; n < 12; ++n) {
      pictures.push_back(random_picture(random, classes));
      ap.add_picture(pictures.back().found, pictures.back().objects);
      (n < 5 ? first : second).add_picture(pictures.back().found, pictures.back().objects);
    }
    double mean = 0;
    for (int t = 0; t < CocoAp::kThresholds; ++t) {
      const double expected = brute(pictures, classes, 0.5 + 0.05 * t, max_dets);
      EXPECT_NEAR(ap.at(t).value(), expected, 1e-9) << "IoU " << 0.5 + 0.05 * t;
      mean += expected / 10;
    }
    EXPECT_NEAR(ap.mean().value(), mean, 1e-9);
    first.merge(second);
    EXPECT_EQ(first.mean(), ap.mean());
    EXPECT_GT(mean, 0.01) << "the boxes are too far off to tell anything";
    EXPECT_LT(mean, 0.99);
  }
}

TEST(CocoAp, OneOfTwoObjectsFoundAfterAMistake) {
  const Box a{.x1 = 0, .y1 = 0, .x2 = 10, .y2 = 10}, b{.x1 = 50, .y1 = 50, .x2 = 60, .y2 = 60};
  const Box wrong{.x1 = 80, .y1 = 80, .x2 = 90, .y2 = 90};
  CocoAp ap;
  ap.add_picture(std::vector<Detection>{{wrong, 0.9}, {a, 0.8}}, std::vector<Box>{a, b});
  EXPECT_NEAR(ap.at(0).value(), 51 * 0.5 / 101, 1e-12);  // recall 0 to .50 at precision 1/2
}

TEST(CocoAp, DifficultObjectsAreNeitherFoundNorMissed) {
  const Box a{.x1 = 0, .y1 = 0, .x2 = 10, .y2 = 10};
  Box hard{.x1 = 50, .y1 = 50, .x2 = 60, .y2 = 60};
  const Detection on_hard{hard, 0.9};
  hard.difficult = true;
  CocoAp found, missed;
  found.add_picture(std::vector<Detection>{on_hard, {a, 0.8}}, std::vector<Box>{hard, a});
  missed.add_picture(std::vector<Detection>{{a, 0.8}}, std::vector<Box>{hard, a});
  EXPECT_NEAR(found.mean().value(), 1, 1e-12);
  EXPECT_NEAR(missed.mean().value(), 1, 1e-12);
}

TEST(CocoAp, NothingThere) {
  CocoAp ap;
  EXPECT_FALSE(ap.mean());
  ap.add_picture(std::vector<Detection>{{Box{.x2 = 5, .y2 = 5}, 0.5}}, {});
  EXPECT_FALSE(ap.at(0));
  ap.add_picture({}, std::vector<Box>{Box{.x2 = 5, .y2 = 5}});
  EXPECT_EQ(ap.mean().value(), 0);
}

TEST(Suppression, KeepsTheBestOfEachPlaceAndClass) {
  std::size_t gone = 0;
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    made::Seeded random(seed);
    std::vector<Detection> all;
    for (int n = 0; n < 60; ++n) all.push_back({.box = random_box(random, 3), .score = random.uniform()});
    const double limit = random.between(0.1, 0.6);
    const std::vector<Detection> kept = suppress(all, limit);
    const auto is_kept = [&](const Detection& d) {
      return std::any_of(kept.begin(), kept.end(), [&](const Detection& k) { return k.score == d.score; });
    };
    for (const Detection& d : all) {  // kept exactly when no better kept one of its class covers it
      const bool hidden = std::any_of(kept.begin(), kept.end(), [&](const Detection& k) {
        return k.score > d.score && k.box.label == d.box.label && overlap_of(d.box, k.box) > limit;
      });
      EXPECT_EQ(is_kept(d), !hidden);
    }
    gone += all.size() - kept.size();
    EXPECT_LE(suppress(all, limit, 2).size(), 6U);
  }
  EXPECT_GT(gone, 10U);
}

}  // namespace
}  // namespace compressor::metrics

// detection_test: every decoder reads back boxes that were written in its form, and the metric around them.
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "compressor/data/class_names.h"
#include "compressor/data/numpy.h"
#include "metrics/made.h"

namespace compressor {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kSize = 64, kClasses = 3;
constexpr std::size_t kPictures = 4;

/// Pictures of 64 x 64 shown whole, or larger ones that were shrunk and padded. Objects lie apart, in cells
/// of 16.
std::vector<BatchItem> scenes(made::Seeded& random, bool letterboxed, std::int64_t classes = kClasses) {
  std::vector<BatchItem> items = made::items(kPictures);
  for (BatchItem& item : items) {
    Geometry& g = item.geometry;
    g.height = g.width = kSize;
    g.source_height = letterboxed ? 96 : kSize;
    g.source_width = letterboxed ? 128 : kSize;
    if (letterboxed) g.scale_x = g.scale_y = 0.5, g.offset_y = 8;
    item.truth.boxes.emplace();
    for (std::int64_t cell = 0; cell < 16; ++cell) {
      if (random.below(3) == 0) continue;
      const auto column = cell % 4, row = cell / 4;
      const double x = static_cast<double>(column) * 16, y = static_cast<double>(row) * 16;
      const Box seen{.x1 = x + random.between(1, 5),
                     .y1 = y + random.between(1, 5),
                     .x2 = x + random.between(9, 15),
                     .y2 = y + random.between(9, 15)};
      Box source = g.to_source(seen);
      source.label = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes)));
      if (source.y2 - source.y1 > 2) item.truth.boxes->push_back(source);
    }
  }
  return items;
}

/// The objects as the network sees them.
std::vector<Box> seen(const BatchItem& item) {
  std::vector<Box> boxes;
  for (const Box& b : *item.truth.boxes) {
    boxes.push_back(item.geometry.to_network(b));
    boxes.back().label = b.label;
  }
  return boxes;
}

struct Middle {
  double x = 0, y = 0, w = 0, h = 0;
};
Middle middle(const Box& b) {
  return {(b.x1 + b.x2) / 2, (b.y1 + b.y2) / 2, b.x2 - b.x1, b.y2 - b.y1};
}
float f(double v) {
  return static_cast<float>(v);
}

Outputs yolox(const std::vector<BatchItem>& items) {
  const std::int64_t cells = 64 + 16 + 4;
  std::vector<float> all;
  for (const BatchItem& item : items) {
    std::vector<float> z(static_cast<std::size_t>(cells * (5 + kClasses)), 0.F);
    const std::vector<Box> boxes = seen(item);
    for (std::size_t n = 0; n < boxes.size(); ++n) {
      const std::int64_t stride = n % 2 == 0 ? 8 : 16, first = n % 2 == 0 ? 0 : 64, grid = kSize / stride;
      const Middle m = middle(boxes[n]);
      const auto cx = static_cast<std::int64_t>(m.x) / stride, cy = static_cast<std::int64_t>(m.y) / stride;
      float* row = &z[static_cast<std::size_t>((first + cy * grid + cx) * (5 + kClasses))];
      const auto s = static_cast<double>(stride);
      row[0] = f(m.x / s - static_cast<double>(cx)), row[1] = f(m.y / s - static_cast<double>(cy));
      row[2] = f(std::log(m.w / s)), row[3] = f(std::log(m.h / s)), row[4] = 0.9F;
      row[5 + boxes[n].label] = 0.8F;
    }
    all.insert(all.end(), z.begin(), z.end());
  }
  return made::output("output", {kPictures, cells, 5 + kClasses}, all);
}

Outputs fastestdet(const std::vector<BatchItem>& items) {
  constexpr std::int64_t kGrid = 8;
  std::vector<float> all;
  for (const BatchItem& item : items) {
    std::vector<float> z(static_cast<std::size_t>((5 + kClasses) * kGrid * kGrid), 0.F);
    for (const Box& b : seen(item)) {
      const Middle m = middle(b);
      const double gx = m.x / kSize * kGrid, gy = m.y / kSize * kGrid;
      const auto x = static_cast<std::int64_t>(gx), y = static_cast<std::int64_t>(gy);
      const auto at = [&](std::int64_t c) -> float& {
        return z[static_cast<std::size_t>((c * kGrid + y) * kGrid + x)];
      };
      const auto logit = [](double p) { return std::log(p / (1 - p)); };
      at(0) = 0.9F, at(1) = f(std::atanh(gx - static_cast<double>(x))),
      at(2) = f(std::atanh(gy - static_cast<double>(y)));
      at(3) = f(logit(m.w / kSize)), at(4) = f(logit(m.h / kSize)), at(5 + b.label) = 0.7F;
    }
    all.insert(all.end(), z.begin(), z.end());
  }
  return made::output("758", {kPictures, 5 + kClasses, kGrid, kGrid}, all);
}

/// Boxes of pictures in rows, filled up to the same number.
std::vector<std::vector<Box>> rows_of(const std::vector<BatchItem>& items, std::size_t& most) {
  std::vector<std::vector<Box>> rows;
  most = 0;
  for (const BatchItem& item : items) {
    rows.push_back(seen(item));
    most = std::max(most, rows.back().size());
  }
  return rows;
}

TEST(Detection, DecodersReadBackWhatWasWritten) {
  for (const bool letterboxed : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      made::Seeded random(seed);
      const auto items = scenes(random, letterboxed);
      for (const Outputs& outputs : {yolox(items), fastestdet(items)})
        EXPECT_NEAR(made::once("ap", outputs, items), 1, 1e-6) << outputs[0].first;
    }
  }
}

TEST(Detection, ASecondClassCountsWhereAskedFor) {
  made::Seeded random(9);
  const auto items = scenes(random, false);
  Outputs outputs = fastestdet(items);
  std::vector<float> z = to_floats(outputs[0].second);
  constexpr std::size_t kCells = 64, kFields = 5 + kClasses;
  // Each box is a little more like another class.
  for (std::size_t i = 0; i < z.size(); i += kFields * kCells) {
    for (std::size_t cell = 0; cell < kCells; ++cell) {
      for (std::size_t c = 0; c < kClasses; ++c) {
        if (z[i + (5 + c) * kCells + cell] != 0.7F) continue;
        z[i + (5 + (c + 1) % kClasses) * kCells + cell] = 0.8F;
        break;
      }
    }
  }
  outputs = made::output("758", outputs[0].second.shape, z);
  EXPECT_LT(made::once("ap50:decoder=fastestdet,labels=best", outputs, items), 0.4);
  EXPECT_GT(made::once("ap50:decoder=fastestdet", outputs, items), 0.4);
}

TEST(Detection, DecodedYoloInBothOrders) {
  made::Seeded random(7);
  const auto items = scenes(random, true);
  constexpr std::size_t kBoxes = 40;
  std::vector<float> v5(kPictures * kBoxes * (5 + kClasses), 0.F),
      v8(kPictures * kBoxes * (4 + kClasses), 0.F);
  for (std::size_t i = 0; i < kPictures; ++i) {
    const auto boxes = seen(items[i]);
    for (std::size_t n = 0; n < 2 * boxes.size(); ++n) {  // each twice: suppression takes one away
      const Box& b = boxes[n / 2];
      const Middle m = middle(b);
      const std::array<double, 4> four = {m.x, m.y, m.w + static_cast<double>(n % 2), m.h};
      const float score = n % 2 == 0 ? 0.9F : 0.5F;
      for (std::size_t k = 0; k < 4; ++k) {
        v5[(i * kBoxes + n) * (5 + kClasses) + k] = f(four[k]);
        v8[(i * (4 + kClasses) + k) * kBoxes + n] = f(four[k]);
      }
      const auto label = static_cast<std::size_t>(b.label);
      v5[(i * kBoxes + n) * (5 + kClasses) + 4] = score;
      v5[(i * kBoxes + n) * (5 + kClasses) + 5 + label] = 1;
      v8[(i * (4 + kClasses) + 4 + label) * kBoxes + n] = score;
    }
  }
  EXPECT_NEAR(made::once("ap", made::output("y", {kPictures, kBoxes, 5 + kClasses}, v5), items), 1, 1e-6);
  EXPECT_NEAR(made::once("ap:decoder=yolo", made::output("y", {kPictures, 4 + kClasses, kBoxes}, v8), items),
              1, 1e-6);
}

/// Scores and boxes of as many priors as there may be objects, in scenes' cells of 16 pixels.
TEST(Detection, SsdWithPriorsAndVariancesAndWithout) {
  made::Seeded random(8);
  const auto items = scenes(random, true);
  std::vector<float> priors, scores(kPictures * 16 * (1 + kClasses), 0.F), offsets(kPictures * 16 * 4, 0.F),
      corners(kPictures * 16 * 4, 0.F);
  for (int p = 0; p < 16; ++p) {
    const double x = (p % 4 + 0.5) / 4, y = (p / 4 + 0.5) / 4;  // NOLINT(bugprone-integer-division)
    for (const double v : {x, y, 0.2, 0.15}) priors.push_back(f(v));
  }
  for (std::size_t i = 0; i < kPictures; ++i) {
    for (std::size_t p = 0; p < 16; ++p) scores[(i * 16 + p) * 4] = 8;  // logits: background
    const auto boxes = seen(items[i]);
    for (const Box& b : boxes) {
      const Middle m = middle(b);
      const std::size_t p = static_cast<std::size_t>(m.y / 16) * 4 + static_cast<std::size_t>(m.x / 16),
                        at = i * 16 + p;
      scores[at * 4] = 0, scores[at * 4 + 1 + static_cast<std::size_t>(b.label)] = 9;
      const std::array<double, 4> z = {(m.x / kSize - static_cast<double>(priors[p * 4])) / 0.2 / 0.3,
                                       (m.y / kSize - static_cast<double>(priors[p * 4 + 1])) / 0.15 / 0.3,
                                       std::log(m.w / kSize / 0.2) / 0.4, std::log(m.h / kSize / 0.15) / 0.4};
      const std::array<double, 4> c = {b.x1 / kSize, b.y1 / kSize, b.x2 / kSize, b.y2 / kSize};
      for (std::size_t k = 0; k < 4; ++k) offsets[at * 4 + k] = f(z[k]), corners[at * 4 + k] = f(c[k]);
    }
  }
  Outputs outputs = made::output("scores", {kPictures, 16, 1 + kClasses}, scores);
  outputs.push_back(made::output("boxes", {kPictures, 16, 4}, corners)[0]);
  EXPECT_NEAR(made::once("ap", outputs, items), 1, 1e-6);
  outputs[1] = made::output("boxes", {kPictures, 16, 4}, offsets)[0];
  outputs.push_back(made::output("anchors", {16, 4}, priors)[0]);
  const std::string variances = ",centre-variance=0.3,size-variance=0.4";
  EXPECT_NEAR(made::once("ap:priors=anchors" + variances, outputs, items), 1, 1e-6);
  EXPECT_LT(made::once("ap:priors=anchors", outputs, items), 0.5);  // the default variances are others
  const std::string file = ::testing::TempDir() + "metrics_priors_" + std::to_string(getpid()) + ".npy";
  write_npy(file, outputs.back().second);
  outputs.pop_back();
  EXPECT_NEAR(made::once("ap:decoder=ssd,priors=" + file + variances, outputs, items), 1, 1e-6);
  std::remove(file.c_str());
}

TEST(Detection, BoxesThatTheGraphSuppressedInAllForms) {
  made::Seeded random(9);
  const auto items = scenes(random, true);
  std::size_t most = 0;
  const auto rows = rows_of(items, most);
  const std::size_t all = kPictures * most;
  std::vector<float> six(all * 6, 0.F), boxes(all * 4, 0.F), scores(all, 0.F),
      by_class(kPictures * kClasses * most, 0.F), seven;
  std::vector<std::int64_t> labels(all, 0), counts, selected;
  for (std::size_t i = 0; i < kPictures; ++i) {
    counts.push_back(static_cast<std::int64_t>(rows[i].size()));
    for (std::size_t n = 0; n < rows[i].size(); ++n) {
      const Box& b = rows[i][n];
      const std::array<double, 6> row = {b.x1, b.y1, b.x2, b.y2, 0.9, static_cast<double>(b.label)};
      for (std::size_t k = 0; k < 6; ++k) six[(i * most + n) * 6 + k] = f(row[k]);
      seven.push_back(f(static_cast<double>(i)));
      for (const std::size_t k : {0U, 1U, 2U, 3U, 5U, 4U}) seven.push_back(f(row[k]));
      const std::array<double, 4> yx = {b.y1, b.x1, b.y2, b.x2};
      for (std::size_t k = 0; k < 4; ++k) boxes[(i * most + n) * 4 + k] = f(yx[k] / kSize);
      scores[i * most + n] = 0.9F, labels[i * most + n] = b.label;
      by_class[(i * kClasses + static_cast<std::size_t>(b.label)) * most + n] = 0.9F;
      for (const std::size_t k : {i, static_cast<std::size_t>(b.label), n})
        selected.push_back(static_cast<std::int64_t>(k));
    }
  }
  const auto m = static_cast<std::int64_t>(most);
  EXPECT_NEAR(made::once("ap", made::output("y", {kPictures, m, 6}, six), items), 1, 1e-6);
  const auto found = static_cast<std::int64_t>(seven.size()) / 7;
  EXPECT_NEAR(made::once("ap", made::output("y", {found, 7}, seven), items), 1, 1e-6);

  Outputs lists = made::output("detection_boxes", {kPictures, m, 4}, boxes);
  lists.push_back(made::output("detection_classes", {kPictures, m}, labels)[0]);
  lists.push_back(made::output("detection_scores", {kPictures, m}, scores)[0]);
  lists.push_back(made::output("num_detections", {kPictures}, counts)[0]);
  EXPECT_NEAR(made::once("ap", lists, items), 1, 1e-6);

  Outputs by_index = made::output("boxes", {kPictures, m, 4}, boxes);
  by_index.push_back(made::output("scores", {kPictures, kClasses, m}, by_class)[0]);
  by_index.push_back(
      made::output("selected", {static_cast<std::int64_t>(selected.size()) / 3, 3}, selected)[0]);
  EXPECT_NEAR(made::once("ap", by_index, items), 1, 1e-6);
}

TEST(Detection, ClassesAreMatchedByName) {
  made::Seeded random(10);
  auto items = scenes(random, false, 20);
  const std::vector<std::int64_t> to_coco = match_classes(class_list("voc"), class_list("coco"));
  std::vector<float> z(kPictures * 40 * 6, 0.F);
  for (std::size_t i = 0; i < kPictures; ++i) {
    const auto boxes = seen(items[i]);
    for (std::size_t n = 0; n < boxes.size(); ++n) {
      const Box& b = boxes[n];
      const std::array<double, 6> row = {
          b.x1, b.y1, b.x2, b.y2, 0.9, static_cast<double>(to_coco[static_cast<std::size_t>(b.label)])};
      for (std::size_t k = 0; k < 6; ++k) z[(i * 40 + n) * 6 + k] = f(row[k]);
    }
  }
  const Outputs outputs = made::output("y", {kPictures, 40, 6}, z);
  const MetricContext voc{.classes = class_list("voc"), .void_label = {}};
  EXPECT_NEAR(made::once("ap:classes=coco", outputs, items, voc), 1, 1e-6);
  EXPECT_LT(made::once("ap:classes=voc", outputs, items, voc), 0.3);
  (*items[0].truth.boxes)[0].label = 0;
  MetricContext odd = voc;
  odd.classes[0] = "unicorn";
  EXPECT_THAT(made::refused([&] { made::once("ap:classes=coco", outputs, items, odd); }),
              HasSubstr("has an object of class 'unicorn', which the model lacks"));
  EXPECT_GT(made::once("ap:classes=coco,skip-unknown=true", outputs, items, odd), 0.9);
}

TEST(Detection, RefusesWhatDoesNotFit) {
  made::Seeded random(11);
  auto items = scenes(random, false);
  const Outputs odd = made::output("y", {kPictures, 7}, std::vector<float>(kPictures * 7, 0.F));
  EXPECT_THAT(made::refused([&] { made::once("ap:decoder=yolox", odd, items); }),
              HasSubstr("ap: outputs are y (float32 4x7), expected yolox: [N, sum of H/s x W/s over strides "
                        "s = 8,16,32, 5 + classes] "
                        "(pictures are 64x64)"));
  const Outputs good = yolox(items);
  items[1].truth.boxes.reset();
  EXPECT_EQ(made::refused([&] { made::once("ap", good, items); }),
            "ap: sample 'sample1' has no boxes, expected a list");
  for (BatchItem& item : items) item.truth.boxes.emplace();
  EXPECT_EQ(made::refused([&] { made::once("ap50", good, items); }), "ap50: no objects in 4 pictures");
  items[0].truth.boxes->push_back({.x2 = 9, .y2 = 9, .label = kClasses});
  EXPECT_THAT(made::refused([&] { made::once("ap", good, items); }),
              HasSubstr("has an object of class 3, which the model lacks"));
}

}  // namespace
}  // namespace compressor

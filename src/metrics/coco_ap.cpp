// coco_ap: average precision as COCO's evaluation computes it, fed picture by picture.
#include "metrics/coco_ap.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace compressor::metrics {
namespace {

/// As the reference evaluation's linspace makes them.
double threshold(int t) {
  return 0.5 + 0.05 * t;
}
double recall_at(int r) {
  return r == 100 ? 1.0 : r * 0.01;
}

bool counts(const Box& object) {
  return !object.crowd && !object.difficult;
}

/// Takes objects at one IoU threshold. `objects` that count stand first; `overlap` [found, object].
class Matching {
 public:
  Matching(std::span<const Box> objects, double iou)
      : objects_(objects), iou_(std::min(iou, 1 - 1e-10)), taken_(objects.size(), false) {}

  /// The object that a box with these overlaps takes; -1 for none.
  std::int64_t take(std::span<const double> overlap) {
    double best = iou_;
    std::int64_t match = -1;
    for (std::size_t g = 0; g < objects_.size(); ++g) {
      if (taken_[g] && !objects_[g].crowd) continue;
      if (match >= 0 && counts(objects_[static_cast<std::size_t>(match)]) && !counts(objects_[g])) break;
      if (overlap[g] < best) continue;
      best = overlap[g];
      match = static_cast<std::int64_t>(g);
    }
    if (match >= 0) taken_[static_cast<std::size_t>(match)] = true;
    return match;
  }

 private:
  std::span<const Box> objects_;
  double iou_;
  std::vector<bool> taken_;
};

}  // namespace

void CocoAp::add_picture(std::span<const Detection> found, std::span<const Box> objects) {
  std::map<std::int64_t, std::pair<std::vector<Detection>, std::vector<Box>>> by_class;
  for (const Detection& d : found) by_class[d.box.label].first.push_back(d);
  for (const Box& b : objects) by_class[b.label].second.push_back(b);
  for (auto& [label, both] : by_class) {
    auto& [detections, truth] = both;
    std::stable_sort(detections.begin(), detections.end(),
                     [](const Detection& a, const Detection& b) { return a.score > b.score; });
    if (static_cast<std::int64_t>(detections.size()) > max_dets_)
      detections.resize(static_cast<std::size_t>(max_dets_));
    std::stable_partition(truth.begin(), truth.end(), counts);
    Class& c = classes_[label];
    c.objects += std::count_if(truth.begin(), truth.end(), counts);
    std::vector<Matching> matchings;
    for (int t = 0; t < kThresholds; ++t) matchings.emplace_back(truth, threshold(t));
    std::vector<double> overlap(truth.size());
    for (const Detection& d : detections) {
      std::transform(truth.begin(), truth.end(), overlap.begin(),
                     [&](const Box& b) { return b.crowd ? covered(d.box, b) : iou(d.box, b); });
      Found f{.score = d.score};
      for (std::size_t t = 0; t < kThresholds; ++t) {
        const std::int64_t match = matchings[t].take(overlap);
        if (match < 0) continue;
        const auto bit = static_cast<std::uint16_t>(1U << t);
        std::uint16_t& bits = counts(truth[static_cast<std::size_t>(match)]) ? f.right : f.apart;
        bits = static_cast<std::uint16_t>(bits | bit);
      }
      c.found.push_back(f);
    }
  }
}

double CocoAp::precision_of(const Class& c, const std::vector<std::size_t>& order, int t) {
  const unsigned bit = 1U << static_cast<unsigned>(t);
  std::vector<double> recall, precision;
  std::int64_t right = 0, all = 0;
  for (const std::size_t i : order) {
    if ((c.found[i].apart & bit) != 0) continue;
    ++all;
    if ((c.found[i].right & bit) != 0) ++right;
    recall.push_back(static_cast<double>(right) / static_cast<double>(c.objects));
    precision.push_back(static_cast<double>(right) /
                        (static_cast<double>(all) + std::numeric_limits<double>::epsilon()));
  }
  for (std::size_t i = precision.size(); i > 1; --i)
    precision[i - 2] = std::max(precision[i - 2], precision[i - 1]);
  double sum = 0;
  for (int r = 0; r <= 100; ++r) {
    const auto at = std::lower_bound(recall.begin(), recall.end(), recall_at(r)) - recall.begin();
    if (at < static_cast<std::ptrdiff_t>(precision.size())) sum += precision[static_cast<std::size_t>(at)];
  }
  return sum / 101;
}

std::array<double, CocoAp::kThresholds> CocoAp::precisions_of(const Class& c) {
  std::vector<std::size_t> order(c.found.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return c.found[a].score > c.found[b].score; });
  std::array<double, kThresholds> result{};
  for (int t = 0; t < kThresholds; ++t) result[static_cast<std::size_t>(t)] = precision_of(c, order, t);
  return result;
}

std::optional<std::array<double, CocoAp::kThresholds>> CocoAp::all() const {
  std::array<double, kThresholds> sums{};
  std::int64_t present = 0;
  for (const auto& [label, c] : classes_) {
    if (c.objects == 0) continue;
    ++present;
    const auto ps = precisions_of(c);
    for (std::size_t t = 0; t < kThresholds; ++t) sums[t] += ps[t];
  }
  if (present == 0) return std::nullopt;
  for (double& s : sums) s /= static_cast<double>(present);
  return sums;
}

std::optional<double> CocoAp::at(int t) const {
  const auto ps = all();
  if (!ps) return std::nullopt;
  return (*ps)[static_cast<std::size_t>(t)];
}

std::optional<double> CocoAp::mean() const {
  const auto ps = all();
  if (!ps) return std::nullopt;
  return std::accumulate(ps->begin(), ps->end(), 0.0) / kThresholds;
}

void CocoAp::merge(const CocoAp& other) {
  for (const auto& [label, theirs] : other.classes_) {
    Class& mine = classes_[label];
    mine.objects += theirs.objects;
    mine.found.insert(mine.found.end(), theirs.found.begin(), theirs.found.end());
  }
}

}  // namespace compressor::metrics

// detection: a box that a network found, and thinning out those that found the same thing.
#include "metrics/detection.h"

#include <algorithm>
#include <map>

namespace compressor::metrics {
namespace {

double area(const Box& b) {
  return std::max(0.0, b.x2 - b.x1) * std::max(0.0, b.y2 - b.y1);
}

double shared(const Box& a, const Box& b) {
  const double w = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const double h = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  return w > 0 && h > 0 ? w * h : 0;
}

}  // namespace

double iou(const Box& a, const Box& b) {
  const double both = shared(a, b);
  return both > 0 ? both / (area(a) + area(b) - both) : 0;
}

double covered(const Box& found, const Box& crowd) {
  const double both = shared(found, crowd);
  return both > 0 ? both / area(found) : 0;
}

std::vector<Detection> suppress(std::vector<Detection> found, double threshold, std::int64_t most) {
  std::stable_sort(found.begin(), found.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  std::map<std::int64_t, std::int64_t> seen;
  std::map<std::int64_t, std::vector<Box>> kept;
  std::vector<Detection> result;
  for (const Detection& d : found) {
    if (most > 0 && ++seen[d.box.label] > most) continue;
    std::vector<Box>& same = kept[d.box.label];
    const bool covered_by_better =
        std::any_of(same.begin(), same.end(), [&](const Box& b) { return iou(b, d.box) > threshold; });
    if (covered_by_better) continue;
    same.push_back(d.box);
    result.push_back(d);
  }
  return result;
}

}  // namespace compressor::metrics

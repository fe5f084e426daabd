// coco_ap: average precision as COCO's evaluation computes it, fed picture by picture.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "metrics/detection.h"

namespace compressor::metrics {

/// Lin et al. 2014 and its reference evaluation, area range "all":
/// - of each picture and class the best `max_dets` boxes count;
/// - from the highest score down, a box takes the free object of its class with the largest IoU >= t;
/// - objects that are crowds or difficult are taken only where no other fits, and then the box does not
/// count.
///   A crowd may be taken often, and its IoU is the share of the box that it covers;
/// - precision is made to fall with recall and is read at recall 0, .01, ..., 1;
/// - the mean goes over the classes that have an object that counts.
class CocoAp {
 public:
  static constexpr int kThresholds = 10;  ///< IoU .50, .55, ..., .95

  explicit CocoAp(std::int64_t max_dets = 100) : max_dets_(max_dets) {}
  /// Labels of both are classes of the data set.
  void add_picture(std::span<const Detection> found, std::span<const Box> objects);
  /// At IoU .50 + .05 t; nullopt when there is no object.
  std::optional<double> at(int t) const;
  /// Mean over the thresholds.
  std::optional<double> mean() const;
  /// As if the pictures of `other` came after ours.
  void merge(const CocoAp& other);

 private:
  /// A box that was found: bit t of `right` says that it took an object at threshold t, of `apart` that it
  /// does not count there.
  struct Found {
    double score = 0;
    std::uint16_t right = 0, apart = 0;
  };
  struct Class {
    std::vector<Found> found;  // picture by picture
    std::int64_t objects = 0;
  };
  static double precision_of(const Class& c, const std::vector<std::size_t>& order, int t);
  static std::array<double, kThresholds> precisions_of(const Class& c);
  std::optional<std::array<double, kThresholds>> all() const;

  std::int64_t max_dets_;
  std::map<std::int64_t, Class> classes_;
};

}  // namespace compressor::metrics

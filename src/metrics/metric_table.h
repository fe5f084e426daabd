// metric_table: what a file of list/ says of its number.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "compressor/metrics/metric.h"

namespace compressor::metrics {

struct MetricEntry {
  MetricInfo info;
  std::function<std::unique_ptr<Metric>(const MetricInfo&, const MetricContext&)> make;
};

class MetricTable {
 public:
  void add(MetricEntry entry) { all_.push_back(std::move(entry)); }
  const std::vector<MetricEntry>& all() const { return all_; }

 private:
  std::vector<MetricEntry> all_;
};

/// `other` as the type of the one that it is merged into; an internal Error when it is another metric.
template <class T>
const T& same_metric(const T& mine, const Metric& other) {
  const T* same = dynamic_cast<const T*>(&other);
  CHECK(same && same->text() == mine.text(), "merging '{}' into '{}'", other.text(), mine.text());
  return *same;
}

}  // namespace compressor::metrics

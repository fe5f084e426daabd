// percentile: a range that leaves a small share of the numbers out, half of it on each side that there is.
#include <algorithm>

#include "passes/quantize/ranges/observer.h"

namespace compressor::quantize {
namespace {

ValueRange range(const ValueStatistics& seen, const ObserverSettings& settings) {
  const auto counts = seen.histogram.counts();
  const double total = static_cast<double>(seen.histogram.total());
  ValueRange r{seen.all.min, seen.all.max};
  if (total == 0) return r;
  const bool two_sided = seen.all.min < 0 && seen.all.max > 0;
  const double leave = (1 - settings.percentile / 100) * total / (two_sided ? 2 : 1);
  const double low = seen.histogram.low();
  const double width = seen.histogram.width();
  double passed = 0;
  for (std::size_t i = 0; i < counts.size() && seen.all.min < 0; ++i) {
    passed += static_cast<double>(counts[i]);
    if (passed > leave) {
      r.low = std::max(r.low, static_cast<float>(low + static_cast<double>(i) * width));
      break;
    }
  }
  passed = 0;
  for (std::size_t i = counts.size(); i-- > 0 && seen.all.max > 0;) {
    passed += static_cast<double>(counts[i]);
    if (passed > leave) {
      r.high = std::min(r.high, static_cast<float>(low + static_cast<double>(i + 1) * width));
      break;
    }
  }
  return r;
}

}  // namespace

void register_percentile(ObserverTable& table);
void register_percentile(ObserverTable& table) {
  table.push_back({.name = "percentile", .summary = "all but a small share of the numbers", .range = range});
}

}  // namespace compressor::quantize

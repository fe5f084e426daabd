// observer: the table of observers, and the error that some of them weigh.
#include "passes/quantize/observer.h"

#include <algorithm>

#include "compressor/base/error.h"

namespace compressor::quantize {

const Observer& observer_of(const std::string& name) {
  static const ObserverTable table = [] {
    ObserverTable all;
    register_all(all);
    return all;
  }();
  for (const Observer& o : table) {
    if (o.name == name) return o;
  }
  throw Error::usage("--observer: '{}' is not known", name);
}

double grid_error(const ValueStatistics& seen, double low, double high, int levels) {
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  const double step = (high - low) / (levels - 1);
  const auto counts = seen.histogram.counts();
  const double width = seen.histogram.width();
  double sum = 0;
  double total = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const auto n = static_cast<double>(counts[i]);
    const double x = seen.histogram.low() + (static_cast<double>(i) + 0.5) * width;
    const double outside = std::max({0.0, x - high, low - x});
    sum += n * (outside > 0 ? outside * outside : step * step / 12);
    total += n;
  }
  // Exact zeros, many behind a ReLU, are codes without any error.
  const auto zeros = static_cast<double>(seen.all.zeros);
  return total > 0 ? std::max(0.0, sum - zeros * step * step / 12) / total : 0;
}

}  // namespace compressor::quantize

// observer: the table of observers, and the error that some of them weigh.
#include "passes/quantize/ranges/observer.h"

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

GridError::GridError(const ValueStatistics& seen, const ObserverSettings& settings)
    : steps_(settings.levels - 1), through_(settings.through) {
  const auto counts = seen.histogram.counts();
  const double width = seen.histogram.width();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const double x = seen.histogram.low() + (static_cast<double>(i) + 0.5) * width;
    const double rise = through_ && width > 0 ? (at(x + width / 2) - at(x - width / 2)) / width : 1;
    bins_.push_back({x, at(x), static_cast<double>(counts[i]), rise * rise});
    total_ += static_cast<double>(counts[i]);
  }
  constexpr double kNear = 1e-3;
  const double rise = through_ ? (at(kNear) - at(-kNear)) / (2 * kNear) : 1;
  zeros_ = static_cast<double>(seen.all.zeros) * rise * rise;
}

double GridError::operator()(double low, double high) const {
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  const double step = (high - low) / steps_;
  const double rounding = step * step / 12;
  const double bottom = at(low);
  const double top = at(high);
  double sum = 0;
  for (const Bin& b : bins_) {
    const double cut = b.x > high ? b.y - top : b.x < low ? b.y - bottom : 0;
    sum += b.count * (cut != 0 ? cut * cut : b.slope * rounding);
  }
  // Exact zeros, many behind a ReLU, are codes without any error.
  return total_ > 0 ? std::max(0.0, sum - zeros_ * rounding) / total_ : 0;
}

}  // namespace compressor::quantize

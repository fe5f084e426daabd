// entropy: the threshold whose clipped and rounded distribution is nearest to what was seen, by
// Kullback-Leibler divergence (Migacz 2017, "8-bit inference with TensorRT").
//
// For thresholds at bin i: P = the first i bins of magnitudes, with all that lies beyond in the last one;
// Q = the same bins without what lies beyond, in 128 levels, each spread over the bins of it that are not
// empty; the i with the least sum P log(P / Q).
#include <algorithm>
#include <cmath>

#include "passes/quantize/ranges/observer.h"

namespace compressor::quantize {
namespace {

std::vector<double> magnitudes(const ValueStatistics& seen) {
  const auto counts = seen.histogram.counts();
  const std::size_t half = counts.size() / 2;
  std::vector<double> bins(half);
  for (std::size_t i = 0; i < half; ++i) {
    bins[i] = static_cast<double>(counts[half + i]) + static_cast<double>(counts[half - 1 - i]);
  }
  // Exact zeros are codes at any threshold.
  bins[0] = std::max(0.0, bins[0] - static_cast<double>(seen.all.zeros));
  return bins;
}

/// Sums over the first i bins, so that a threshold costs as many logarithms as there are levels.
struct Sums {
  std::vector<double> counts, filled, information;  ///< sum of n, of n > 0, of n log n
  explicit Sums(const std::vector<double>& bins) {
    for (std::vector<double>* list : {&counts, &filled, &information}) list->assign(bins.size() + 1, 0);
    for (std::size_t i = 0; i < bins.size(); ++i) {
      counts[i + 1] = counts[i] + bins[i];
      filled[i + 1] = filled[i] + (bins[i] > 0 ? 1 : 0);
      information[i + 1] = information[i] + (bins[i] > 0 ? bins[i] * std::log(bins[i]) : 0);
    }
  }
};

/// With n a bin's count, T all that was seen and Q a level's share of each of its bins:
/// sum n/T log(n/T / Q) = (sum n log n - sum over levels of (sum n) log(T Q)) / T, and the last bin's own
/// term.
double divergence(const std::vector<double>& bins, const Sums& sums, std::size_t i, std::size_t levels,
                  double beyond) {
  const double inside = sums.counts[i];
  const double total = inside + beyond;
  if (inside <= 0 || total <= 0) return HUGE_VAL;
  double divergence = 0;
  double last = std::log(total * 1e-12);  // log(T Q) of the last bin; Q of an empty one is next to nothing
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t from = level * i / levels;
    const std::size_t to = (level + 1) * i / levels;
    const double sum = sums.counts[to] - sums.counts[from];
    const double filled = sums.filled[to] - sums.filled[from];
    if (filled <= 0) continue;
    const double share = std::log(total * sum / filled / inside);
    divergence += sums.information[to] - sums.information[from] - sum * share;
    if (to == i && bins[i - 1] > 0) last = share;
  }
  if (beyond > 0) {
    const double own = bins[i - 1];
    const double all = own + beyond;
    divergence += all * (std::log(all) - last) - (own > 0 ? own * (std::log(own) - last) : 0);
  }
  return divergence / total;
}

ValueRange range(const ValueStatistics& seen, const ObserverSettings& settings) {
  const std::vector<double> bins = magnitudes(seen);
  const auto levels = static_cast<std::size_t>(seen.all.min < 0 ? settings.levels / 2 : settings.levels);
  std::size_t last = bins.size();
  while (last > 0 && bins[last - 1] == 0) --last;
  if (last <= levels) return {seen.all.min, seen.all.max};
  std::vector<double> beyond(last + 1);
  for (std::size_t i = last; i-- > 0;) beyond[i] = beyond[i + 1] + bins[i];
  const Sums sums(bins);
  double best = HUGE_VAL;
  std::size_t at = last;
  const std::size_t step = std::max<std::size_t>(1, last / 512);
  for (std::size_t i = levels; i <= last; i += step) {
    const double d = divergence(bins, sums, i, levels, beyond[i]);
    if (d >= best) continue;
    best = d;
    at = i;
  }
  const auto threshold = static_cast<float>(static_cast<double>(at) * seen.histogram.width());
  return {std::max(seen.all.min, -threshold), std::min(seen.all.max, threshold)};
}

}  // namespace

void register_entropy(ObserverTable& table);
void register_entropy(ObserverTable& table) {
  table.push_back({.name = "entropy",
                   .summary = "least divergence of the clipped and rounded distribution",
                   .range = range});
}

}  // namespace compressor::quantize

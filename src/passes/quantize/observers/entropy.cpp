// entropy: the threshold whose clipped and rounded distribution is nearest to what was seen, by
// Kullback-Leibler divergence (Migacz 2017, "8-bit inference with TensorRT").
//
// For thresholds at bin i: P = the first i bins of magnitudes, with all that lies beyond in the last one;
// Q = the same bins without what lies beyond, in 128 levels, each spread over the bins of it that are not
// empty; the i with the least sum P log(P / Q).
#include <algorithm>
#include <cmath>

#include "passes/quantize/observer.h"

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

double divergence(const std::vector<double>& bins, std::size_t i, std::size_t levels, double beyond) {
  double divergence = 0;
  double total = 0;
  for (std::size_t k = 0; k < i; ++k) total += bins[k];
  const double inside = total;
  total += beyond;
  if (inside <= 0 || total <= 0) return HUGE_VAL;
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t from = level * i / levels;
    const std::size_t to = (level + 1) * i / levels;
    double sum = 0;
    std::size_t filled = 0;
    for (std::size_t k = from; k < to; ++k) {
      sum += bins[k];
      filled += bins[k] > 0 ? 1 : 0;
    }
    for (std::size_t k = from; k < to; ++k) {
      const double p = (bins[k] + (k + 1 == i ? beyond : 0)) / total;
      if (p <= 0) continue;
      const double q = bins[k] > 0 ? sum / static_cast<double>(filled) / inside : 1e-12;
      divergence += p * std::log(p / q);
    }
  }
  return divergence;
}

ValueRange range(const ValueStatistics& seen, const ObserverSettings& settings) {
  const std::vector<double> bins = magnitudes(seen);
  const auto levels = static_cast<std::size_t>(seen.all.min < 0 ? settings.levels / 2 : settings.levels);
  std::size_t last = bins.size();
  while (last > 0 && bins[last - 1] == 0) --last;
  if (last <= levels) return {seen.all.min, seen.all.max};
  std::vector<double> beyond(last + 1);
  for (std::size_t i = last; i-- > 0;) beyond[i] = beyond[i + 1] + bins[i];
  double best = HUGE_VAL;
  std::size_t at = last;
  const std::size_t step = std::max<std::size_t>(1, last / 512);
  for (std::size_t i = levels; i <= last; i += step) {
    const double d = divergence(bins, i, levels, beyond[i]);
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

// latency: rounds of runs, each model once a round.
#include "compressor/analysis/latency.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "compressor/base/error.h"
#include "compressor/kernels/memory.h"

namespace compressor {
namespace {

double timed(Executor& executor, const Executor::Feeds& feeds) {
  const auto start = std::chrono::steady_clock::now();
  executor.run(feeds);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Between the two nearest, in proportion.
double quantile_of(std::vector<double> numbers, double q) {
  CHECK(!numbers.empty());
  std::sort(numbers.begin(), numbers.end());
  const double at = q * static_cast<double>(numbers.size() - 1);
  const auto low = static_cast<std::size_t>(std::floor(at));
  const std::size_t high = std::min(low + 1, numbers.size() - 1);
  return numbers[low] + (at - std::floor(at)) * (numbers[high] - numbers[low]);
}

}  // namespace

double Latency::quantile(double q) const {
  return quantile_of(seconds, q);
}

std::vector<Latency> measure_latency(const std::vector<TimedModel>& models, const LatencyOptions& options,
                                     const std::function<void(double)>& progress) {
  std::vector<std::unique_ptr<Executor>> executors;
  std::vector<Latency> result(models.size());
  for (std::size_t m = 0; m < models.size(); ++m) {
    executors.push_back(std::make_unique<Executor>(*models[m].model));
    for (int i = 0; i < std::max(1, options.warmup); ++i) {
      const double seconds = timed(*executors[m], models[m].feeds);
      if (i == 0) result[m].first = seconds;
    }
    kernels::reset_peak();
    const std::uint64_t held = kernels::memory_use().live;
    timed(*executors[m], models[m].feeds);
    result[m].activation_bytes = kernels::memory_use().peak - held;
    executors[m]->take_timing();
  }
  std::vector<std::map<const Node*, std::vector<double>>> nodes(models.size());
  for (int round = 0; round < options.runs; ++round) {
    for (std::size_t m = 0; m < models.size(); ++m) {
      result[m].seconds.push_back(timed(*executors[m], models[m].feeds));
      if (!options.profile) continue;
      for (const auto& [node, seconds] : executors[m]->take_timing()) nodes[m][node].push_back(seconds);
    }
    if (progress) progress(static_cast<double>(round + 1) / options.runs);
  }
  for (std::size_t m = 0; m < models.size(); ++m) {
    for (const auto& [node, seconds] : nodes[m]) result[m].by_node[node] = quantile_of(seconds, 0.5);
  }
  return result;
}

std::vector<double> speedup(const Latency& first, const Latency& second) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < first.seconds.size() && i < second.seconds.size(); ++i) {
    ratios.push_back(first.seconds[i] / second.seconds[i]);
  }
  return {quantile_of(ratios, 0.25), quantile_of(ratios, 0.5), quantile_of(ratios, 0.75)};
}

}  // namespace compressor

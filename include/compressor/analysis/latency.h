// latency: how long models take here, measured side by side.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "compressor/engine/executor.h"

namespace compressor {

struct LatencyOptions {
  int runs = 30;
  int warmup = 3;
  bool profile = false;
};

struct Latency {
  std::vector<double> seconds;            ///< of every run, in the order of the rounds
  double first = 0;                       ///< of the first warm-up run: preparation included
  std::uint64_t activation_bytes = 0;     ///< most that one run holds beyond what is kept between runs
  std::map<const Node*, double> by_node;  ///< seconds of one run, median; with `profile`

  /// Share q of the runs was faster; 0.5: the median.
  double quantile(double q) const;
};

struct TimedModel {
  const Model* model = nullptr;
  Executor::Feeds feeds;
};

/// In every round each model runs once, so that what slows the machine down meets all of them. `progress` is
/// told the share of the rounds.
std::vector<Latency> measure_latency(const std::vector<TimedModel>& models, const LatencyOptions& options,
                                     const std::function<void(double)>& progress = {});

/// Median over the rounds of first / second, with its quartiles: {q1, median, q3}.
std::vector<double> speedup(const Latency& first, const Latency& second);

}  // namespace compressor

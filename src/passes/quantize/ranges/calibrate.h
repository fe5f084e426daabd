// calibrate: runs a model on samples and chooses a range for each value.
#pragma once

#include <any>

#include "compressor/analysis/statistics.h"
#include "passes/quantize/ranges/observer.h"

namespace compressor::quantize {

struct Calibration {
  Ranges ranges;
  /// Mean over samples and places of each channel of the values, where it was gathered: E[x] of bias
  /// correction.
  ChannelMeans channel_means;
  /// In dB, of a value on the grid of its range: what rounding and clipping leave of it.
  std::map<std::string, double, std::less<>> snr_db;
  /// Values without a range, for they hold infinities or no numbers (a mask of -inf, say).
  InFloat not_finite;
  std::int64_t batches = 0;
};

/// `observer` is a name of the table, or "auto": for each value the one whose range has the least squared
/// error among minmax, percentile, entropy and mse, none of which clips more than `settings` allows.
/// `values`: names, each of one value of the model. Throws Error::usage when there are no samples.
Calibration calibrate(const Model& model, const std::vector<std::string>& values, const Samples& samples,
                      const std::string& observer, const ObserverSettings& settings,
                      std::uint64_t max_memory);

/// The same, with what earlier runs left in `findings` for this very model and observer; only values that are
/// new are measured. Null findings: everything is.
Calibration calibrate_once(const Model& model, const std::vector<std::string>& values, const Samples& samples,
                           const std::string& observer, const ObserverSettings& settings,
                           std::uint64_t max_memory, std::map<std::string, std::any>* findings);

}  // namespace compressor::quantize

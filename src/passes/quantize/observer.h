// observer: from what a value was seen to hold to the range that its codes cover.
#pragma once

#include <string>
#include <vector>

#include "compressor/analysis/statistics.h"
#include "passes/quantize/static_qdq.h"

namespace compressor::quantize {

struct ObserverSettings {
  int levels = 256;           ///< codes of the grid
  double percentile = 99.99;  ///< share of the numbers that stays inside, in percent
};

/// One way to choose a range; one file each in observers/.
struct Observer {
  std::string name;
  std::string summary;
  ValueRange (*range)(const ValueStatistics& seen, const ObserverSettings& settings) = nullptr;
};
using ObserverTable = std::vector<Observer>;

/// Made by CMake from the files of observers/.
void register_all(ObserverTable& table);
/// Throws Error::usage for another name.
const Observer& observer_of(const std::string& name);

/// Mean squared error of numbers distributed as `seen` on a grid of `levels` codes over [low, high]: rounding
/// inside as if uniform, s^2 / 12, and the distance to the edge outside.
double grid_error(const ValueStatistics& seen, double low, double high, int levels);

}  // namespace compressor::quantize

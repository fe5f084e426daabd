// observer: from what a value was seen to hold to the range that its codes cover.
#pragma once

#include <string>
#include <vector>

#include "compressor/analysis/statistics.h"
#include "compressor/graph/graph.h"
#include "passes/quantize/integer/static_qdq.h"

namespace compressor::quantize {

/// A function of one number.
using Curve = double (*)(double);

struct ObserverSettings {
  int levels = 256;           ///< codes of the grid
  double percentile = 99.99;  ///< share of the numbers that stays inside, in percent
  /// What the readers make of the value: its errors are weighed behind that. Null: they read it as it is.
  Curve through = nullptr;
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

/// Mean squared error of numbers distributed as `seen` on a grid over [low, high]: rounding inside as if
/// uniform, s^2 / 12, and the distance to the edge outside. Behind a function f, f'(x)^2 s^2 / 12 and
/// (f(x) - f(edge))^2.
class GridError {
 public:
  GridError(const ValueStatistics& seen, const ObserverSettings& settings);
  double operator()(double low, double high) const;

 private:
  struct Bin {
    double x, y;  ///< its middle, and what the function makes of it
    double count;
    double slope;  ///< squared
  };
  double at(double x) const { return through_ ? through_(x) : x; }
  std::vector<Bin> bins_;
  double steps_ = 255, zeros_ = 0, total_ = 0;
  Curve through_ = nullptr;
};

/// The function of a table (SiLU, Sigmoid, Tanh, HardSwish, Gelu, Mish, ...), of one node or of its parts,
/// that every reader of the value computes; null when there is none, or some read it as it is.
Curve curve_behind(const Value& value);

}  // namespace compressor::quantize

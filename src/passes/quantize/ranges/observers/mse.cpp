// mse: the range with the least squared error on the grid, behind what reads the value: each end is drawn in
// step by step, in turns.
#include <cmath>

#include "passes/quantize/ranges/observer.h"

namespace compressor::quantize {
namespace {

constexpr int kSteps = 160;
constexpr double kStep = 0.975;  ///< what is left of an end after each: 1/57 at the last
constexpr int kRounds = 3;

ValueRange range(const ValueStatistics& seen, const ObserverSettings& settings) {
  double low = std::min(0.0, static_cast<double>(seen.all.min));
  double high = std::max(0.0, static_cast<double>(seen.all.max));
  if (seen.histogram.total() == 0) return {seen.all.min, seen.all.max};
  const double widest_low = low;
  const double widest_high = high;
  const GridError grid_error(seen, settings);
  double best = grid_error(low, high);
  for (int round = 0; round < kRounds; ++round) {
    const double before = best;
    for (const bool upper : {true, false}) {
      const double end = upper ? widest_high : widest_low;
      if (end == 0) continue;
      double cut = end;
      for (int i = 0; i <= kSteps; ++i, cut *= kStep) {
        const double error = upper ? grid_error(low, cut) : grid_error(cut, high);
        if (error >= best) continue;
        best = error;
        (upper ? high : low) = cut;
      }
    }
    if (best == before) break;
  }
  return {static_cast<float>(low), static_cast<float>(high)};
}

}  // namespace

void register_mse(ObserverTable& table);
void register_mse(ObserverTable& table) {
  table.push_back(
      {.name = "mse",
       .summary = "least squared error of rounding and clipping, behind the function that reads it",
       .range = range});
}

}  // namespace compressor::quantize

// calibrate: statistics in one pass, then one range a value.
#include "passes/quantize/calibrate.h"

#include <cmath>

#include "compressor/base/error.h"

namespace compressor::quantize {
namespace {

ValueRange least_error(const ValueStatistics& seen, const ObserverSettings& settings) {
  ValueRange best{seen.all.min, seen.all.max};
  double least = HUGE_VAL;
  const GridError grid_error(seen, settings);
  for (const char* name : {"minmax", "percentile", "entropy", "mse"}) {
    const ValueRange r = observer_of(name).range(seen, settings);
    const double error = grid_error(static_cast<double>(r.low), static_cast<double>(r.high));
    if (error >= least) continue;
    least = error;
    best = r;
  }
  return best;
}

}  // namespace

Calibration calibrate(const Model& model, const std::vector<std::string>& values, const Samples& samples,
                      const std::string& observer, const ObserverSettings& settings,
                      std::uint64_t max_memory) {
  StatisticsRequest request;
  request.channels = true;
  request.max_memory = max_memory;
  for (const std::string& name : values) {
    const Value* v = model.graph->find(name);
    CHECK(v, "'{}' is not a value of the main graph", name);
    request.values.push_back(v);
  }
  const Statistics seen = collect_statistics(model, request, samples);
  if (seen.batches == 0) throw Error::usage("calibration: the data holds no samples");
  Calibration result;
  result.batches = seen.batches;
  for (const auto& [value, s] : seen.values) {
    if (s.all.count == 0) continue;
    if (s.all.not_finite > 0) {
      throw Error::model("value '{}' holds {} numbers that are not finite on the calibration data",
                         value->name(), s.all.not_finite);
    }
    ObserverSettings of_value = settings;
    of_value.through = curve_behind(*value);
    result.ranges[value->name()] =
        observer == "auto" ? least_error(s, of_value) : observer_of(observer).range(s, of_value);
    std::vector<float>& means = result.channel_means[value->name()];
    for (const double sum : s.channel_sum) means.push_back(static_cast<float>(sum / s.channel_count));
  }
  return result;
}

}  // namespace compressor::quantize

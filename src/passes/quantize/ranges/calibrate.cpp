// calibrate: statistics in one pass, then one range a value.
#include "passes/quantize/ranges/calibrate.h"

#include <cmath>
#include <set>
#include <span>

#include "compressor/base/error.h"
#include "compressor/base/hash.h"

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

double snr_on_grid(const ValueStatistics& seen, const ValueRange& range, ObserverSettings settings) {
  settings.through = nullptr;
  const double noise =
      GridError(seen, settings)(static_cast<double>(range.low), static_cast<double>(range.high));
  const double signal = seen.all.sum_of_squares / static_cast<double>(seen.all.count);
  return noise > 0 ? 10 * std::log10(signal / noise) : HUGE_VAL;
}

/// Of all constants: what values hold depends on them and on the nodes.
std::string fingerprint(const Model& model) {
  Hasher hasher;
  model.each_graph([&](const Graph& graph) {
    for (const Value* v : graph.initializers()) {
      hasher.update(std::as_bytes(std::span(v->name())));
      hasher.update(v->initializer()->bytes.view().bytes());
    }
  });
  return hasher.hex();
}

struct Known {
  Calibration seen;
  std::set<std::string, std::less<>> asked;  ///< values without samples have no range
};

}  // namespace

Calibration calibrate(const Model& model, const std::vector<std::string>& values, const Samples& samples,
                      const std::string& observer, const ObserverSettings& settings,
                      std::uint64_t max_memory) {
  StatisticsRequest request;
  request.channels = true;
  request.max_memory = max_memory;
  std::set<std::string, std::less<>> wanted(values.begin(), values.end());
  model.each_graph([&](const Graph& graph) {
    for (const Value* v : graph.values()) {
      if (wanted.erase(v->name()) > 0) request.values.push_back(v);
    }
  });
  CHECK(wanted.empty(), "'{}' is no value of the model", wanted.empty() ? "" : *wanted.begin());
  const Statistics seen = collect_statistics(model, request, samples);
  if (seen.batches == 0) throw Error::usage("calibration: the data holds no samples");
  Calibration result;
  result.batches = seen.batches;
  for (const auto& [value, s] : seen.values) {
    if (s.all.count == 0) continue;
    if (s.all.not_finite > 0) {
      result.not_finite[value->name()] = fmt::format("'{}' holds numbers that are not finite", value->name());
      continue;
    }
    ObserverSettings of_value = settings;
    of_value.through = curve_behind(*value);
    result.ranges[value->name()] =
        observer == "auto" ? least_error(s, of_value) : observer_of(observer).range(s, of_value);
    result.snr_db[value->name()] = snr_on_grid(s, result.ranges[value->name()], settings);
    if (s.channel_sum.empty()) continue;
    std::vector<float>& means = result.channel_means[value->name()];
    for (const double sum : s.channel_sum) means.push_back(static_cast<float>(sum / s.channel_count));
  }
  return result;
}

Calibration calibrate_once(const Model& model, const std::vector<std::string>& values, const Samples& samples,
                           const std::string& observer, const ObserverSettings& settings,
                           std::uint64_t max_memory, std::map<std::string, std::any>* findings) {
  if (!findings) return calibrate(model, values, samples, observer, settings, max_memory);
  std::any& entry = (*findings)[fmt::format("quantize.calibration {} {} {} {}", observer, settings.levels,
                                            settings.percentile, fingerprint(model))];
  if (!entry.has_value()) entry = Known();
  auto& known = *std::any_cast<Known>(&entry);
  std::vector<std::string> fresh;
  for (const std::string& name : values) {
    if (!known.asked.contains(name)) fresh.push_back(name);
  }
  if (fresh.empty() && known.seen.batches > 0) return known.seen;
  Calibration more = calibrate(model, fresh, samples, observer, settings, max_memory);
  known.asked.insert(fresh.begin(), fresh.end());
  known.seen.batches = more.batches;
  known.seen.ranges.merge(more.ranges);
  known.seen.channel_means.merge(more.channel_means);
  known.seen.snr_db.merge(more.snr_db);
  known.seen.not_finite.merge(more.not_finite);
  return known.seen;
}

}  // namespace compressor::quantize

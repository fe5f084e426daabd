// metric: the table of reported numbers, and making one from its text.
#include "compressor/metrics/metric.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compressor/base/suggest.h"
#include "metrics/metric_table.h"
#include "metrics/settings.h"

namespace compressor {
namespace metrics {

void register_all(MetricTable& table);  // made by CMake from list/

namespace {

const MetricTable& table() {
  static const MetricTable kTable = [] {
    MetricTable t;
    register_all(t);
    return t;
  }();
  return kTable;
}

}  // namespace
}  // namespace metrics

void Metric::set(std::string_view option, std::string_view value) {
  OptionBase* found = find_option(option);
  if (!found) metrics::unknown_option("metric " + name(), option, metrics::names_of(*this));
  metrics::set_option("metric " + name(), *found, value);
}

std::vector<MetricInfo> all_metrics() {
  std::vector<MetricInfo> infos;
  for (const metrics::MetricEntry& entry : metrics::table().all()) infos.push_back(entry.info);
  return infos;
}

std::unique_ptr<Metric> make_metric(std::string_view text, const MetricContext& context) {
  const auto colon = text.find(':');
  const std::string name(text.substr(0, colon));
  const metrics::MetricEntry& entry =
      entry_named(metrics::table().all(), name, "unknown metric", ", expected one of {}",
                  [](const metrics::MetricEntry& e) { return e.info.name; });
  std::unique_ptr<Metric> metric = entry.make(entry.info, context);
  metric->text_ = text;
  if (colon != std::string_view::npos) {
    for (const auto& [option, value] : metrics::split_settings("metric " + name, text.substr(colon + 1))) {
      metric->set(option, value);
    }
  }
  metric->ready();
  return metric;
}

}  // namespace compressor

// top5: share of samples whose class is among the five with the highest scores.
#include "metrics/metric_table.h"
#include "metrics/top_k.h"

namespace compressor::metrics {

void register_top5(MetricTable& table) {
  table.add(
      {{.name = "top5",
        .summary = "samples whose class is among the five highest scores",
        .unit = "%",
        .higher_is_better = true},
       [](const MetricInfo& info, const MetricContext& context) { return make_top_k(info, context, 5); }});
}

}  // namespace compressor::metrics

// top1: share of samples whose class is the one with the highest score.
#include "metrics/metric_table.h"
#include "metrics/top_k.h"

namespace compressor::metrics {

void register_top1(MetricTable& table) {
  table.add(
      {{.name = "top1",
        .summary = "samples whose class has the highest score",
        .unit = "%",
        .higher_is_better = true},
       [](const MetricInfo& info, const MetricContext& context) { return make_top_k(info, context, 1); }});
}

}  // namespace compressor::metrics

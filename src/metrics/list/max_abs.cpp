// max_abs: the largest difference from another model's outputs.
#include "metrics/closeness.h"
#include "metrics/metric_table.h"

namespace compressor::metrics {

void register_max_abs(MetricTable& table) {
  table.add({{.name = "max_abs",
              .summary = "largest difference of any element from a reference",
              .unit = "",
              .higher_is_better = false},
             [](const MetricInfo& info, const MetricContext& context) {
               return make_closeness(info, context, max_abs);
             }});
}

}  // namespace compressor::metrics

// cosine: the angle to another model's outputs.
#include "metrics/closeness.h"
#include "metrics/metric_table.h"

namespace compressor::metrics {

void register_cosine(MetricTable& table) {
  table.add({{.name = "cosine",
              .summary = "cosine of the worst output and a reference",
              .unit = "",
              .higher_is_better = true},
             [](const MetricInfo& info, const MetricContext& context) {
               return make_closeness(info, context, cosine);
             }});
}

}  // namespace compressor::metrics

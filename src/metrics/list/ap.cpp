// ap: average precision of detections over IoU .50 to .95, by COCO's rules.
#include "metrics/detection_ap.h"
#include "metrics/metric_table.h"

namespace compressor::metrics {

void register_ap(MetricTable& table) {
  table.add({{.name = "ap",
              .summary = "average precision, mean over IoU .50:.05:.95 (COCO)",
              .unit = "",
              .higher_is_better = true},
             [](const MetricInfo& info, const MetricContext& context) {
               return make_detection_ap(info, context, std::nullopt);
             }});
}

}  // namespace compressor::metrics

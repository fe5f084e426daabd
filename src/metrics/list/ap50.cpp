// ap50: average precision of detections at IoU .50.
#include "metrics/detection_ap.h"
#include "metrics/metric_table.h"

namespace compressor::metrics {

void register_ap50(MetricTable& table) {
  table.add({{.name = "ap50",
              .summary = "average precision at IoU .50 (COCO)",
              .unit = "",
              .higher_is_better = true},
             [](const MetricInfo& info, const MetricContext& context) {
               return make_detection_ap(info, context, 0.5);
             }});
}

}  // namespace compressor::metrics

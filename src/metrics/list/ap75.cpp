// ap75: average precision of detections at IoU .75.
#include "metrics/detection_ap.h"
#include "metrics/metric_table.h"

namespace compressor::metrics {

void register_ap75(MetricTable& table) {
  table.add({{.name = "ap75",
              .summary = "average precision at IoU .75 (COCO)",
              .unit = "",
              .higher_is_better = true},
             [](const MetricInfo& info, const MetricContext& context) {
               return make_detection_ap(info, context, 0.75);
             }});
}

}  // namespace compressor::metrics

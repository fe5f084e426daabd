// text_accuracy: texts that a CTC recogniser reads without a mistake.
#include "metrics/ctc.h"
#include "metrics/metric_table.h"

namespace compressor::metrics {

void register_text_accuracy(MetricTable& table) {
  table.add({{.name = "text_accuracy",
              .summary = "texts read without a mistake, CTC",
              .unit = "%",
              .higher_is_better = true},
             [](const MetricInfo& info, const MetricContext& context) {
               return make_ctc(info, context, TextUnit::kText);
             }});
}

}  // namespace compressor::metrics

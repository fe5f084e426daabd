// word_accuracy: words of texts that a CTC recogniser reads right.
#include "metrics/ctc.h"
#include "metrics/metric_table.h"

namespace compressor::metrics {

void register_word_accuracy(MetricTable& table) {
  table.add({{.name = "word_accuracy",
              .summary = "1 - edits / words of the texts, CTC",
              .unit = "%",
              .higher_is_better = true},
             [](const MetricInfo& info, const MetricContext& context) {
               return make_ctc(info, context, TextUnit::kWord);
             }});
}

}  // namespace compressor::metrics

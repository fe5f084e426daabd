// char_accuracy: characters of texts that a CTC recogniser reads right.
#include "metrics/ctc.h"
#include "metrics/metric_table.h"

namespace compressor::metrics {

void register_char_accuracy(MetricTable& table) {
  table.add({{.name = "char_accuracy",
              .summary = "1 - edits / characters of the texts, CTC",
              .unit = "%",
              .higher_is_better = true},
             [](const MetricInfo& info, const MetricContext& context) {
               return make_ctc(info, context, TextUnit::kCharacter);
             }});
}

}  // namespace compressor::metrics

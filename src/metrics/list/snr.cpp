// snr: noise against another model's outputs.
#include "metrics/closeness.h"
#include "metrics/metric_table.h"

namespace compressor::metrics {

void register_snr(MetricTable& table) {
  table.add({{.name = "snr",
              .summary = "10 log10(signal / noise) of the worst output against a reference",
              .unit = "dB",
              .higher_is_better = true},
             [](const MetricInfo& info, const MetricContext& context) {
               return make_closeness(info, context, snr);
             }});
}

}  // namespace compressor::metrics

// nats_per_token: what a language model needs for a token, in nats.
#include "metrics/metric_table.h"
#include "metrics/next_token.h"

namespace compressor::metrics {

void register_nats_per_token(MetricTable& table) {
  table.add({{.name = "nats_per_token",
              .summary = "mean of -log p(next token)",
              .unit = "nats",
              .higher_is_better = false},
             [](const MetricInfo& info, const MetricContext& context) {
               return make_next_token(info, context, false);
             }});
}

}  // namespace compressor::metrics

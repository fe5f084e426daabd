// perplexity: exponential of the nats that a language model needs for a token.
#include "metrics/metric_table.h"
#include "metrics/next_token.h"

namespace compressor::metrics {

void register_perplexity(MetricTable& table) {
  table.add({{.name = "perplexity",
              .summary = "exp of the mean of -log p(next token)",
              .unit = "",
              .higher_is_better = false},
             [](const MetricInfo& info, const MetricContext& context) {
               return make_next_token(info, context, true);
             }});
}

}  // namespace compressor::metrics

// top_k: how often the right class is among the k with the highest scores.
#pragma once

#include <memory>

#include "compressor/metrics/metric.h"

namespace compressor::metrics {

/// In percent. Of equal scores the lower class index comes first; NaN is never right. For k = 1 the output
/// may also be the class indices themselves, integers [N].
std::unique_ptr<Metric> make_top_k(const MetricInfo& info, const MetricContext& context, std::int64_t k);

}  // namespace compressor::metrics

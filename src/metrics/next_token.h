// next_token: how well a language model foretells the next token of a text.
#pragma once

#include <memory>

#include "compressor/metrics/metric.h"

namespace compressor::metrics {

/// Mean of -log p(next token) in nats, or its exponential. Output [N, T, V], or [T, V] for one sample; the
/// sample's target holds T tokens, Truth::kNoTarget where nothing is asked.
std::unique_ptr<Metric> make_next_token(const MetricInfo& info, const MetricContext& context,
                                        bool exponential);

}  // namespace compressor::metrics

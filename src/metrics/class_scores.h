// class_scores: a classifier's output beside the samples' labels.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "compressor/metrics/metric.h"

namespace compressor::metrics {

/// The options that say which output holds the class scores and how labels count.
struct ClassScoreOptions {
  explicit ClassScoreOptions(Options& owner);
  Option<std::string> output;
  Option<std::int64_t> offset;
};

/// Calls `each(scores [C], label)` for every sample. The output has shape [N, C] but for axes of size 1; with
/// a single sample it may be [C]. Throws Error::usage, beginning with `where`, for other shapes, for a sample
/// without a label and for a label that is not below C.
void for_each_scored(const std::string& where, const Outputs& outputs, const Targets& targets,
                     const MetricContext& context, const ClassScoreOptions& options,
                     const std::function<void(std::span<const float>, std::size_t)>& each);

/// The label of an item, moved by the option `offset`.
std::int64_t label_of(const std::string& where, const BatchItem& item, std::int64_t offset);

}  // namespace compressor::metrics

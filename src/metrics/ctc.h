// ctc: texts read by a recogniser that gives a class for every step, blank among them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compressor/metrics/metric.h"

namespace compressor::metrics {

/// What is counted.
enum class TextUnit : std::uint8_t { kCharacter, kWord, kText };

/// 100 (1 - edits / length of the texts), both summed over all samples; for kText 100 times the share of
/// texts without an edit. Output [N, T, C] or [T, N, C] (scores), or [N, T] and [T, N] (class indices).
std::unique_ptr<Metric> make_ctc(const MetricInfo& info, const MetricContext& context, TextUnit unit);

/// Graves et al. 2006, best path: equal neighbours become one, then blanks go. `symbols` by class; the
/// blank's is not read.
std::string collapse(const std::vector<std::int64_t>& path, std::int64_t blank,
                     const std::vector<std::string>& symbols);

}  // namespace compressor::metrics

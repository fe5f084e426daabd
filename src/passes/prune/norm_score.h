// norm_score: a norm summed over the slices of each unit; the shared part of l1 and l2.
#pragma once

#include <functional>

#include "passes/prune/criterion.h"

namespace compressor::prune {

/// Sums pick(...) over every slice but running statistics and one-dimensional parameters; 0 for dead units.
std::vector<double> norm_scores(const ChannelGroup& group, ScoreContext& context,
                                const std::function<double(const AxisNorms&, std::size_t)>& pick);

}  // namespace compressor::prune

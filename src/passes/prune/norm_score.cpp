// norm_score: which slices of a class count, and the sum over them.
#include "passes/prune/norm_score.h"

namespace compressor::prune {

std::vector<double> norm_scores(const ChannelGroup& group, ScoreContext& context,
                                const std::function<double(const AxisNorms&, std::size_t)>& pick) {
  const auto is_weight = [](const ConstantSlice& slice) {
    return slice.has(AxisRole::kProducer) || slice.has(AxisRole::kConsumer) || slice.roles == 0;
  };
  std::vector<double> scores;
  for (const ChannelUnit& unit : group.units) {
    scores.push_back(is_dead(unit, context.weights) ? 0 : sum_over(unit, context.weights, is_weight, pick));
  }
  return scores;
}

}  // namespace compressor::prune

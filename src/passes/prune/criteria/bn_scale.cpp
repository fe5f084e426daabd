// bn_scale: the scale of the batch norm that a channel passes.
//
//   score(c) = mean over its norms of |gamma_c|
//
// Liu, Li, Shen, Huang, Yan, Zhang: Learning Efficient Convolutional Networks through Network Slimming
// (2017).
#include "passes/prune/criterion.h"

namespace compressor::prune {

void register_bn_scale(CriterionTable& table) {
  table.add({"bn-scale", "Liu 2017", "absolute scale of the batch norm behind the channel",
             [](const ChannelGroup& group, ScoreContext& context, std::string& why_not) {
               std::vector<double> scores;
               const auto is_scale = [](const ConstantSlice& slice) { return slice.has(AxisRole::kScale); };
               for (const ChannelUnit& unit : group.units) {
                 const double count = sum_over(unit, context.weights, is_scale,
                                               [](const AxisNorms&, std::size_t) { return 1.0; });
                 if (count == 0) {
                   why_not =
                       "criterion bn-scale needs a norm with a scale behind the channels, and there is none";
                   return std::vector<double>();
                 }
                 scores.push_back(sum_over(unit, context.weights, is_scale,
                                           [](const AxisNorms& n, std::size_t i) { return n.sum_abs[i]; }) /
                                  count);
               }
               return scores;
             }});
}

}  // namespace compressor::prune

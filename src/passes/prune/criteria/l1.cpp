// l1: sum of absolute weights over all slices of a channel class.
//
//   score(c) = sum over slices s of c of sum |w_s|;  0 where the class is dead
//
// Li, Kadav, Durdanovic, Samet, Graf: Pruning Filters for Efficient ConvNets (2017), extended from filters to
// classes.
#include "passes/prune/norm_score.h"

namespace compressor::prune {

void register_l1(CriterionTable& table) {
  table.add({"l1", "Li 2017", "sum of absolute weights",
             [](const ChannelGroup& group, ScoreContext& context, std::string&) {
               return norm_scores(group, context,
                                  [](const AxisNorms& n, std::size_t i) { return n.sum_abs[i]; });
             }});
}

}  // namespace compressor::prune

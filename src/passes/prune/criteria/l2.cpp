// l2: root of the sum of squared weights over all slices of a channel class.
//
//   score(c) = sqrt(sum over slices s of c of sum w_s^2);  0 where the class is dead
//
// Li 2017 with the Euclidean norm; over classes of coupled parameters as in Fang 2023 (DepGraph).
#include <cmath>

#include "passes/prune/norm_score.h"

namespace compressor::prune {

void register_l2(CriterionTable& table) {
  table.add({"l2", "Li 2017", "Euclidean norm of the weights",
             [](const ChannelGroup& group, ScoreContext& context, std::string&) {
               std::vector<double> scores = norm_scores(
                   group, context, [](const AxisNorms& n, std::size_t i) { return n.sum_squares[i]; });
               for (double& s : scores) s = std::sqrt(s);
               return scores;
             }});
}

}  // namespace compressor::prune

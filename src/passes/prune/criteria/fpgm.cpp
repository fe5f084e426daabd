// fpgm: distance to the other filters; the ones nearest the geometric median can be replaced by the others.
//
//   score(c) = sum over c' of || w_c - w_c' ||_2,  w_c the maker's slices of c
//
// He, Liu, Wang, Hu, Yang: Filter Pruning via Geometric Median for Deep CNNs Acceleration (2019), eq. 4.
#include <cmath>

#include "compressor/base/error.h"
#include "passes/prune/criterion.h"

namespace compressor::prune {
namespace {

std::vector<double> scores(const ChannelGroup& group, ScoreContext&, std::string& why_not) {
  const std::size_t n = group.units.size();
  std::vector<double> squares(n * n, 0);
  bool any = false;
  for (std::size_t s = 0; s < group.units[0].slices.size(); ++s) {
    const ConstantSlice& first = group.units[0].slices[s];
    if (!first.has(AxisRole::kProducer)) continue;
    const Tensor weight = weight_of(*first.value).value();
    std::vector<std::int64_t> unit_of(
        static_cast<std::size_t>(weight.shape[static_cast<std::size_t>(first.axis)]), -1);
    for (std::size_t u = 0; u < n; ++u) {
      for (const std::int64_t p : group.units[u].slices.at(s).positions)
        unit_of[static_cast<std::size_t>(p)] = static_cast<std::int64_t>(u);
    }
    add_pairwise_squares(weight, first.axis, unit_of, static_cast<std::int64_t>(n), squares);
    any = true;
  }
  if (!any) {
    why_not = "criterion fpgm needs filters or rows that make the channels, and there are none";
    return {};
  }
  std::vector<double> sums(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) sums[i] += std::sqrt(squares[i * n + j]);
  }
  return sums;
}

}  // namespace

void register_fpgm(CriterionTable& table) {
  table.add({"fpgm", "He 2019", "distance to the other filters of the group", scores});
}

}  // namespace compressor::prune

// shrinkage: one factor for all that is off the diagonal.
#include "passes/quantize/rounding/shrinkage.h"

namespace compressor::quantize {

void shrink_moment(SecondMoment& moment) {
  if (moment.columns >= 2 * moment.k) return;
  const auto k = static_cast<std::size_t>(moment.k);
  const auto factor = static_cast<float>(static_cast<double>(moment.columns) / static_cast<double>(2 * k));
  for (std::size_t i = 0; i < moment.sums.size(); ++i) {
    if (i / k % k != i % k) moment.sums[i] *= factor;
  }
}

}  // namespace compressor::quantize

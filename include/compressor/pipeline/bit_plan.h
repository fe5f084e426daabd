// bit_plan: the fewest bits of every layer's weights with which a bound holds.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compressor/pipeline/trials.h"
#include "compressor/pipeline/yardstick.h"

namespace compressor {

struct BitPlan {
  std::vector<std::pair<TrialLayer, std::string>> bits;  ///< of every layer, in the order of the trials
  Trial trial;
  int tries = 0;  ///< models that were judged
};

/// Each layer is tried alone with each of `choices` (descending: "8", "4", "2"); a step down is the better
/// the less noise it brings for a byte that it saves, and noise is taken to add up. As many of the best steps
/// are taken as the bound allows. nullopt where it does not hold with the most bits everywhere. For passes
/// with a setting `bits` of single layers.
std::optional<BitPlan> plan_bits(Trials& trials, const Yardstick& yardstick,
                                 const std::vector<std::string>& choices,
                                 const std::function<bool(const Model&)>& holds,
                                 const std::function<void(const std::string& what, double share)>& progress);

}  // namespace compressor

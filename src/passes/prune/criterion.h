// criterion: what an importance measure is given and gives.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compressor/analysis/channel_groups.h"
#include "compressor/analysis/weight_stats.h"

namespace compressor::prune {

/// Statistics of weights, computed once for each axis of each constant.
class WeightCache {
 public:
  const AxisNorms& norms(const Value& value, std::int64_t axis);

 private:
  std::map<std::pair<const Value*, std::int64_t>, std::unique_ptr<AxisNorms>> norms_;
};

struct ScoreContext {
  WeightCache& weights;
  std::uint64_t seed = 0;
};

/// Scores of a group's units, each >= 0, small means unimportant; empty when the measure does not apply to
/// it, with the reason in `why_not`.
using ScoreFn = std::function<std::vector<double>(const ChannelGroup&, ScoreContext&, std::string& why_not)>;

struct Criterion {
  std::string name;
  std::string source;  ///< the paper
  std::string summary;
  ScoreFn score;
};

class CriterionTable {
 public:
  void add(Criterion criterion) { all_.push_back(std::move(criterion)); }
  const std::vector<Criterion>& all() const { return all_; }

 private:
  std::vector<Criterion> all_;
};

/// Every file of criteria/.
const CriterionTable& criteria();
/// Throws an internal Error for a name that is not there.
const Criterion& criterion(const std::string& name);

/// Sum over the slices of a unit that have one of `roles` (0: no role at all), of pick(norms, position).
double sum_over(const ChannelUnit& unit, WeightCache& weights,
                const std::function<bool(const ConstantSlice&)>& wanted,
                const std::function<double(const AxisNorms&, std::size_t)>& pick);

/// True when the unit adds nothing to the output whatever the input: all that makes it is zero (weights or
/// gamma, and every bias), or all that reads it is.
bool is_dead(const ChannelUnit& unit, WeightCache& weights);

}  // namespace compressor::prune

// criterion: the table of importance measures and what they share.
#include "passes/prune/criterion.h"

#include "compressor/base/error.h"
#include "compressor/passes/prune.h"

namespace compressor::prune {

void register_all(CriterionTable& table);  // made by CMake from criteria/

const CriterionTable& criteria() {
  static const CriterionTable kTable = [] {
    CriterionTable t;
    register_all(t);
    return t;
  }();
  return kTable;
}

const Criterion& criterion(const std::string& name) {
  for (const Criterion& c : criteria().all()) {
    if (c.name == name) return c;
  }
  throw Error(ErrorKind::kInternal, "criterion '" + name + "' is not in the table");
}

const AxisNorms& WeightCache::norms(const Value& value, std::int64_t axis) {
  auto& slot = norms_[{&value, axis}];
  if (!slot) slot = std::make_unique<AxisNorms>(axis_norms(weight_of(value).value(), axis));
  return *slot;
}

double sum_over(const ChannelUnit& unit, WeightCache& weights,
                const std::function<bool(const ConstantSlice&)>& wanted,
                const std::function<double(const AxisNorms&, std::size_t)>& pick) {
  double total = 0;
  for (const ConstantSlice& slice : unit.slices) {
    if (!wanted(slice)) continue;
    const AxisNorms& norms = weights.norms(*slice.value, slice.axis);
    for (const std::int64_t p : slice.positions) total += pick(norms, static_cast<std::size_t>(p));
  }
  return total;
}

bool is_dead(const ChannelUnit& unit, WeightCache& weights) {
  bool producers = false, producers_zero = true, scales = false, scales_zero = true, shifts_zero = true,
       statistics = false;
  bool consumers = false, consumers_zero = true, others = false;
  for (const ConstantSlice& slice : unit.slices) {
    const AxisNorms& norms = weights.norms(*slice.value, slice.axis);
    bool zero = true;
    for (const std::int64_t p : slice.positions)
      zero = zero && norms.nonzeros[static_cast<std::size_t>(p)] == 0;
    if (slice.has(AxisRole::kProducer)) {
      producers = true;
      producers_zero = producers_zero && zero;
    }
    if (slice.has(AxisRole::kConsumer)) {
      consumers = true;
      consumers_zero = consumers_zero && zero;
    }
    if (slice.has(AxisRole::kScale)) {
      scales = true;
      scales_zero = scales_zero && zero;
    }
    if (slice.has(AxisRole::kShift)) shifts_zero = shifts_zero && zero;
    statistics = statistics || slice.has(AxisRole::kStatistic);
    others = others || slice.roles == 0;
  }
  if (others) return false;
  if (consumers && consumers_zero) return true;
  if (!shifts_zero) return false;
  return (scales && scales_zero) || (producers && producers_zero && !statistics);
}

}  // namespace compressor::prune

namespace compressor {

std::vector<PruneMethod> prune_methods() {
  std::vector<PruneMethod> list;
  for (const prune::Criterion& c : prune::criteria().all()) list.push_back({c.name, c.source, c.summary});
  return list;
}

}  // namespace compressor

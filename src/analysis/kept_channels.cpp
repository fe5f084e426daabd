// kept_channels: a class of channels is gone when all of it that stands in some weight is gone; what stays of
// every value then follows from the classes, as in pruning itself.
#include "analysis/kept_channels.h"

#include <algorithm>
#include <set>

#include "compressor/analysis/channel_groups.h"
#include "compressor/base/error.h"

namespace compressor {
namespace {

using Cuts = std::map<std::pair<const Value*, std::int64_t>, const std::vector<std::int64_t>*>;

/// The weights' cuts by value and axis. Throws Error::usage for what is no weight of this model.
Cuts cuts_of(const Model& model, const KeptIndices& weights) {
  Cuts cuts;
  for (const auto& [name, axes] : weights) {
    const Value* v = model.graph->find(name);
    const auto weight = v ? constant_of(*v) : std::nullopt;
    if (!weight) throw Error::usage("the report cuts '{}', which is no weight of the first model", name);
    for (const auto& [axis, kept] : axes) {
      const bool fits = axis >= 0 && axis < weight->rank() &&
                        (kept.empty() || kept.back() < weight->shape[static_cast<std::size_t>(axis)]);
      if (!fits) {
        throw Error::usage("the report cuts axis {} of '{}', and the weight is {}", axis, name,
                           to_string(weight->shape));
      }
      cuts[{v, axis}] = &kept;
    }
  }
  return cuts;
}

bool is_gone(const ChannelUnit& unit, const Cuts& cuts) {
  return std::any_of(unit.slices.begin(), unit.slices.end(), [&](const ConstantSlice& slice) {
    const auto cut = cuts.find({slice.value, slice.axis});
    if (cut == cuts.end() || slice.positions.empty()) return false;
    return std::none_of(slice.positions.begin(), slice.positions.end(), [&](std::int64_t position) {
      return std::binary_search(cut->second->begin(), cut->second->end(), position);
    });
  });
}

}  // namespace

std::map<const Value*, KeptAxes> kept_channels(const Model& model, const KeptIndices& weights) {
  std::map<const Value*, KeptAxes> known;
  if (weights.empty()) return known;
  const Cuts cuts = cuts_of(model, weights);
  ChannelGroups groups = find_channel_groups(model, {.infer = {}, .through_norm = true, .blocked = {}});
  std::set<Atom> gone;
  for (const ChannelGroup& group : groups.groups) {
    for (const ChannelUnit& unit : group.units) {
      if (is_gone(unit, cuts)) gone.insert(unit.root);
    }
  }
  for (const auto& [value, axes] : groups.lists.all()) {
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const auto axis = static_cast<std::int64_t>(i);
      if (auto kept = groups.kept(*value, axis, gone)) known[value][axis] = std::move(*kept);
    }
  }
  return known;
}

}  // namespace compressor

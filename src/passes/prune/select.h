// select: which units of which groups go.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "compressor/analysis/channel_groups.h"

namespace compressor::prune {

/// A group that may be cut, with its scores and its own ratio.
struct Candidate {
  const ChannelGroup* group = nullptr;
  std::vector<double> scores;  ///< one for each unit
  double ratio = 0;
  bool own_ratio = false;  ///< given for this layer by the user; not part of a global ranking
};

struct SelectOptions {
  bool global = false;
  double ratio = 0;  ///< of all units together, for a global ranking
  std::int64_t round_to = 1;
  std::int64_t min_keep = 1;
};

/// Roots of the units to remove: in every group the floor(ratio * n) with the lowest scores, or over all
/// groups those with the lowest scores relative to their group's mean. Never leaves a group with fewer than
/// min_keep, keeps multiples of round_to. Equal scores go in order of position.
std::set<Atom> select(const std::vector<Candidate>& candidates, const SelectOptions& options);

}  // namespace compressor::prune

// select: rank units and take the lowest.
#include "passes/prune/select.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace compressor::prune {
namespace {

/// Guards floor() against 0.1 * 30 = 3.0000000000000004 and 0.3 * 10 = 2.9999999999999996.
constexpr double kEpsilon = 1e-9;

/// How many of n units may go when `wanted` should.
std::int64_t allowed(std::int64_t n, std::int64_t wanted, const SelectOptions& options) {
  std::int64_t keep = std::max(n - wanted, std::min(options.min_keep, n));
  keep = std::min(n, (keep + options.round_to - 1) / options.round_to * options.round_to);
  return n - keep;
}

std::vector<std::size_t> ascending(const std::vector<double>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  return order;
}

void take_lowest(const Candidate& candidate, std::int64_t count, std::set<Atom>& removed) {
  const std::vector<std::size_t> order = ascending(candidate.scores);
  for (std::int64_t i = 0; i < count; ++i)
    removed.insert(candidate.group->units[order[static_cast<std::size_t>(i)]].root);
}

/// How many units each candidate loses under one ranking of all units.
std::vector<std::int64_t> global_counts(const std::vector<Candidate>& candidates,
                                        const SelectOptions& options) {
  struct Entry {
    double score;
    std::size_t candidate;
  };
  std::vector<Entry> all;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    if (candidates[c].own_ratio) continue;
    const std::vector<double>& scores = candidates[c].scores;
    const double mean =
        std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
    for (const double s : scores) all.push_back({mean > 0 ? s / mean : 0, c});
  }
  std::stable_sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) { return a.score < b.score; });
  auto budget =
      static_cast<std::int64_t>(std::floor(options.ratio * static_cast<double>(all.size()) + kEpsilon));
  std::vector<std::int64_t> counts(candidates.size(), 0);
  for (const Entry& entry : all) {
    if (budget == 0) break;
    const auto n = static_cast<std::int64_t>(candidates[entry.candidate].scores.size());
    if (counts[entry.candidate] >= n - std::min(options.min_keep, n)) continue;
    ++counts[entry.candidate];
    --budget;
  }
  return counts;
}

}  // namespace

std::set<Atom> select(const std::vector<Candidate>& candidates, const SelectOptions& options) {
  std::set<Atom> removed;
  const std::vector<std::int64_t> global =
      options.global ? global_counts(candidates, options) : std::vector<std::int64_t>();
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const Candidate& candidate = candidates[c];
    const auto n = static_cast<std::int64_t>(candidate.scores.size());
    auto wanted = static_cast<std::int64_t>(std::floor(candidate.ratio * static_cast<double>(n) + kEpsilon));
    if (options.global && !candidate.own_ratio) wanted = global[c];
    take_lowest(candidate, allowed(n, wanted, options), removed);
  }
  return removed;
}

}  // namespace compressor::prune

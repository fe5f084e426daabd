// zero_tiles: rank tiles by their norm and zero the lowest; what kernels and blocks share.
#include <algorithm>
#include <bit>
#include <cmath>

#include "compressor/base/error.h"
#include "passes/prune/order.h"
#include "passes/prune/smallest.h"
#include "passes/prune/tiles.h"
#include "passes/prune/zero_methods.h"

namespace compressor::prune {
namespace {

/// The scores of one weight as keys: the bits of a float that is not negative.
KeySource<std::uint32_t> keys_of_scores(const std::vector<float>& scores) {
  return {.size = scores.size(), .read = [&scores](std::uint64_t first, std::span<std::uint32_t> keys) {
            for (std::size_t i = 0; i < keys.size(); ++i)
              keys[i] = std::bit_cast<std::uint32_t>(scores[first + i]) & 0x7FFFFFFFU;
          }};
}

KeySource<std::uint32_t> random_keys(std::uint64_t size, std::uint64_t seed) {
  return {.size = size,
          .read = [order = by_chance<std::uint32_t>(seed)](
                      std::uint64_t first, std::span<std::uint32_t> keys) { order(first, {}, keys); }};
}

class TileRanking {
 public:
  TileRanking(const ZeroingOptions& options, std::uint64_t seed)
      : random_(options.criterion == ZeroingOptions::Criterion::kRandom),
        l1_(options.criterion == ZeroingOptions::Criterion::kL1),
        seed_(seed) {}

  void run(std::span<const ZeroJob> jobs, std::span<const Tiling> tilings, std::span<ZeroOutcome> outcomes,
           const std::vector<std::size_t>& members) const {
    std::vector<TileScores> scores(members.size());
    std::vector<KeySource<std::uint32_t>> sources;
    std::uint64_t total = 0;
    for (std::size_t m = 0; m < members.size(); ++m) {
      const PrunableWeight& weight = *jobs[members[m]].weight;
      const Tiling& tiling = tilings[members[m]];
      total += tiling.count();
      if (random_) {
        sources.push_back(random_keys(tiling.count(), seed_for(seed_, weight.source->name())));
        continue;
      }
      scores[m] = score_tiles(weight.tensor, tiling, l1_ ? TileNorm::kMeanAbs : TileNorm::kRootMeanSquare);
      sources.push_back(keys_of_scores(scores[m].score));
    }
    const Cut<std::uint32_t> cut =
        smallest(std::span<const KeySource<std::uint32_t>>(sources), share_of(jobs[members[0]].ratio, total));
    for (std::size_t m = 0; m < members.size(); ++m)
      zero(jobs[members[m]], tilings[members[m]], sources[m], m, cut, outcomes[members[m]]);
  }

 private:
  void zero(const ZeroJob& job, const Tiling& tiling, const KeySource<std::uint32_t>& keys,
            std::size_t source, const Cut<std::uint32_t>& cut, ZeroOutcome& outcome) const {
    auto gone = std::make_shared<std::vector<bool>>(tiling.count());
    std::vector<std::uint32_t> some(4096);
    for (std::uint64_t at = 0; at < keys.size; at += some.size()) {
      const auto part = std::span(some).first(std::min<std::uint64_t>(some.size(), keys.size - at));
      keys.read(at, part);
      for (std::size_t i = 0; i < part.size(); ++i) {
        if (!cut.takes(part[i], source, at + i)) continue;
        (*gone)[at + i] = true;
        ++outcome.zeroed;
      }
    }
    outcome.units = tiling.count();
    outcome.mask = tile_mask(job.weight->tensor, tiling, std::move(gone));
    if (!random_) {
      outcome.detail =
          fmt::format("threshold {:.6g} ({})", static_cast<double>(std::bit_cast<float>(cut.threshold)),
                      l1_ ? "mean magnitude" : "root mean square");
    }
  }

  bool random_, l1_;
  std::uint64_t seed_;
};

}  // namespace

void zero_tiles(std::span<const ZeroJob> jobs, std::span<const Tiling> tilings, const ZeroingOptions& options,
                std::uint64_t seed, std::span<ZeroOutcome> outcomes) {
  const TileRanking ranking(options, seed);
  for (const std::vector<std::size_t>& members : rankings(jobs, outcomes, options.global))
    ranking.run(jobs, tilings, outcomes, members);
}

}  // namespace compressor::prune

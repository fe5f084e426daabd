// zero_methods: what each zeroing granularity is given and gives; one file each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "passes/prune/mask.h"
#include "passes/prune/prunable.h"
#include "passes/prune/tiles.h"
#include "passes/prune/zeroing.h"

namespace compressor::prune {

/// One weight to be zeroed in part.
struct ZeroJob {
  const PrunableWeight* weight = nullptr;
  double ratio = 0;
  bool own_ratio = false;  ///< given for its layer; not part of a global ranking
};

/// What becomes of it. Either `mask` or `why_not` is set.
struct ZeroOutcome {
  std::optional<Mask> mask;
  std::string why_not;
  std::uint64_t units = 0;                                 ///< weights, kernels or blocks that competed
  std::uint64_t zeroed = 0;                                ///< of these, zero afterwards
  std::optional<std::uint64_t> zeros_before, zeros_after;  ///< where they are known without counting
  std::string detail;                                      ///< of the units and the threshold, for the report
};

/// Outcomes in the order of the jobs.
std::vector<ZeroOutcome> zero_weights(std::span<const ZeroJob> jobs, const ZeroingOptions& options,
                                      std::uint64_t seed);
std::vector<ZeroOutcome> zero_kernels(std::span<const ZeroJob> jobs, const ZeroingOptions& options,
                                      std::uint64_t seed);
std::vector<ZeroOutcome> zero_nm(std::span<const ZeroJob> jobs, const ZeroingOptions& options,
                                 std::uint64_t seed);
std::vector<ZeroOutcome> zero_blocks(std::span<const ZeroJob> jobs, const ZeroingOptions& options,
                                     std::uint64_t seed);

/// floor(ratio * count), guarded against 0.29 * 100 = 28.999999999999996.
std::uint64_t share_of(double ratio, std::uint64_t count);
/// Which jobs are ranked together: each alone, or all without a ratio of their own together. Jobs whose
/// outcome already says why not are left out. Outcomes keep their places.
std::vector<std::vector<std::size_t>> rankings(std::span<const ZeroJob> jobs,
                                               std::span<const ZeroOutcome> outcomes, bool global);

/// The part that kernels and blocks share: jobs[i] is tiled by tilings[i], scored and ranked. Outcomes that
/// say why not are left as they are.
void zero_tiles(std::span<const ZeroJob> jobs, std::span<const Tiling> tilings, const ZeroingOptions& options,
                std::uint64_t seed, std::span<ZeroOutcome> outcomes);

}  // namespace compressor::prune

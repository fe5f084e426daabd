// block: granularity block; blocks of outputs x inputs become zero, with all taps of a convolution inside.
//
//   W [inputs, outputs]  ==>  tiles of block_in x block_out, the floor(ratio * tiles) of least norm -> 0
//
// Gray 2017 (GPU kernels for block-sparse weights), Narang 2017 (Block-sparse recurrent neural networks).
// Blocks at the end of an axis are smaller; their norm is a mean, so that they compete fairly.
#include "compressor/base/error.h"
#include "passes/prune/tiles.h"
#include "passes/prune/zero_methods.h"

namespace compressor::prune {

std::vector<ZeroOutcome> zero_blocks(std::span<const ZeroJob> jobs, const ZeroingOptions& options,
                                     std::uint64_t seed) {
  const auto outputs = static_cast<std::uint64_t>(options.block_out);
  const auto inputs = static_cast<std::uint64_t>(options.block_in);
  std::vector<ZeroOutcome> outcomes(jobs.size());
  std::vector<Tiling> tilings(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const PrunableWeight& weight = *jobs[i].weight;
    if (!weight.layout) {
      outcomes[i].why_not = weight.no_layout;
      continue;
    }
    const WeightLayout& w = *weight.layout;
    if (weight.convolution == "depthwise") {
      outcomes[i].why_not = "is depthwise: it has no blocks of inputs; use granularity weight or channel";
    } else if (w.outputs() < outputs || w.inputs() < inputs) {
      outcomes[i].why_not =
          fmt::format("has {} outputs x {} inputs{}, less than one block of {}x{}", w.outputs(), w.inputs(),
                      w.batch > 1 ? " in a group" : "", outputs, inputs);
    }
    tilings[i] = {
        .layout = w, .tall = w.a_is_output ? outputs : inputs, .wide = w.a_is_output ? inputs : outputs};
  }
  zero_tiles(jobs, tilings, options, seed, outcomes);
  return outcomes;
}

}  // namespace compressor::prune

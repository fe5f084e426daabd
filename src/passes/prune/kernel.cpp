// kernel: granularity kernel; whole k x k slices of a convolution become zero.
//
//   W [C_out, C_in/g, k, k]:  W[o, i, :, :]  ->  0   for the floor(ratio * C_out * C_in/g) slices of least
//   norm
//
// Mao 2017 (Exploring the granularity of sparsity): kernels keep more accuracy than filters at one ratio, and
// leave an index of one entry for each kernel.
#include "compressor/base/error.h"
#include "passes/prune/tiles.h"
#include "passes/prune/zero_methods.h"

namespace compressor::prune {
namespace {

std::string why_not(const PrunableWeight& weight) {
  const Node& node = *weight.readers.front().node;
  if (!node.is("Conv") && !node.is("ConvTranspose"))
    return fmt::format("belongs to {}, which has no kernels; use granularity weight, nm or block", node.op());
  if (!weight.layout) return weight.no_layout;
  if (weight.convolution == "depthwise")
    return "is depthwise: a kernel is a whole channel; use granularity channel";
  if (weight.convolution == "1x1")
    return "has kernels of a single weight; use granularity weight, nm or block";
  return "";
}

}  // namespace

std::vector<ZeroOutcome> zero_kernels(std::span<const ZeroJob> jobs, const ZeroingOptions& options,
                                      std::uint64_t seed) {
  std::vector<ZeroOutcome> outcomes(jobs.size());
  std::vector<Tiling> tilings(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    outcomes[i].why_not = why_not(*jobs[i].weight);
    if (outcomes[i].why_not.empty()) tilings[i].layout = *jobs[i].weight->layout;
  }
  zero_tiles(jobs, tilings, options, seed, outcomes);
  return outcomes;
}

}  // namespace compressor::prune

// output_clip: ranges of a weight's blocks by what clipping them does to the layer's outputs.
#pragma once

#include "compressor/codec/grid.h"
#include "passes/quantize/grid/fit.h"
#include "passes/quantize/rounding/output_error.h"

namespace compressor::quantize {

/// Sets grid.scale and grid.zero, which hold a first choice. For each block of a row, of that choice and of
/// shares of its range (1, .95, ..), with the scale solved for, the one with the least d M_bb d^T, where d is
/// what the block misses at its nearest codes and M_bb the part of the moment that it meets (Lin et al. 2023,
/// 2306.00978, look for the clip like this). A row whose whole error grew by it keeps its first choice.
/// Blocks that rows share are left alone. Powers as nearest codes give them: `nearest` with the first choice,
/// `noise` with the last.
OutputLoss clip_by_output(const Tensor& weight, const LayerView& view, const SecondMoment& moment,
                          const FitOptions& options, codec::Grid& grid);

}  // namespace compressor::quantize

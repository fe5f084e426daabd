// records: what the report says of the grids of layers, and of how much of a model they reach.
#pragma once

#include <map>

#include "compressor/passes/quantize.h"
#include "passes/quantize/grid/fit.h"
#include "passes/quantize/integer/static_qdq.h"

namespace compressor::quantize {

/// Of a weight stored on `grid`; `loss` says what that misses.
GridRecord weight_record(const std::string& tensor, const codec::Grid& grid, const Loss& loss);

/// Fills in the grids of the layers that `result` says are quantized: of inputs and outputs by `scales`, of
/// weights as they are stored. `before` is the prepared model before the rewrite that made `after`; nodes
/// keep their ids.
void record_grids(const Model& before, const Model& after, const std::map<std::string, Affine>& scales,
                  const Ranges& ranges, const StaticOptions& options, PassResult& result);

/// Shares of the model that the quantized layers hold: of its weights' bytes, and where they compute in
/// integers of its MACs.
void record_shares(const Model& before, PassContext& context);

}  // namespace compressor::quantize

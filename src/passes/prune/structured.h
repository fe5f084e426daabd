// structured: find groups, score them, choose, cut, and say what was done.
#pragma once

#include "compressor/pass/pass.h"
#include "compressor/passes/prune.h"

namespace compressor::prune {

/// Granularities channel, filter, neuron, hidden, head. Throws Error::target when nothing can be cut or a
/// target cannot be reached.
void prune_channels(Model& model, const Prune& options, PassContext& context);

/// Granularity layer: removes residual branches whose output has the shape of their input.
void prune_branches(Model& model, const Prune& options, PassContext& context);

}  // namespace compressor::prune

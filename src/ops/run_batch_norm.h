// run_batch_norm: BatchNormalization in the engine: by given statistics or by the batch's own.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// True where the node itself asks for the batch's statistics. Before opset 14 asking for them as outputs is
/// what switches the training mode on.
bool trains_statistics(const Node& node, std::int64_t opset);

bool run_batch_norm(RunContext& ctx);
/// Reads inputs 0, 1, 3 and 4.
void batch_norm_gradient(GradientContext& ctx);

}  // namespace compressor::ops

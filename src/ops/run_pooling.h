// run_pooling: pooling in the engine, by windows and over whole planes, forward and backward.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// MaxPool without positions, AveragePool; float32, up to three spatial axes.
bool run_pool(RunContext& ctx);
/// Reads input 0 (MaxPool).
void pool_gradient(GradientContext& ctx);

/// GlobalAveragePool, GlobalMaxPool.
bool run_global_pool(RunContext& ctx);
/// Reads input 0 (GlobalMaxPool).
void global_pool_gradient(GradientContext& ctx);

/// ReduceMean of channels-last float32 over all of its spatial axes and no other.
bool run_spatial_mean(RunContext& ctx);

}  // namespace compressor::ops

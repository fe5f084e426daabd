// run_product: MatMul and Gemm in the engine, forward and backward.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

bool run_matmul(RunContext& ctx);
bool run_gemm(RunContext& ctx);
/// Both read inputs 0 and 1.
void matmul_gradient(GradientContext& ctx);
void gemm_gradient(GradientContext& ctx);

}  // namespace compressor::ops

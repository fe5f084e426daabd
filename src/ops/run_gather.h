// run_gather: rows of a table by index, and the gradient of the table: Deep Compression's centroid gradient,
// where the table is a codebook (Han et al. 2016, 1510.00149).
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

bool run_gather(RunContext& ctx);
/// Adds what was read of every row; in an order that depends on the sizes alone.
void gather_gradient(GradientContext& ctx);
void gather_elements_gradient(GradientContext& ctx);
void gather_nd_gradient(GradientContext& ctx);

}  // namespace compressor::ops

// recurrence: portable arithmetic of LSTM, GRU and RNN.
#pragma once

#include "compressor/ops/op.h"

namespace compressor::ops {

/// X [T, N, I], W [D, gates H, I], R [D, gates H, H], B [D, 2 gates H], lengths [N], initial_h, initial_c [D,
/// N, H], P [D, 3 H] -> Y [T, D, N, H], Y_h, Y_c [D, N, H]; with layout 1 the batch comes first.
void compute_recurrence(ComputeContext& ctx);

}  // namespace compressor::ops

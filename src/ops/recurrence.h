// recurrence: portable arithmetic of LSTM, GRU and RNN.
#pragma once

#include "compressor/ops/op.h"

namespace compressor::ops {

/// X [T, N, I], W [D, gates H, I], R [D, gates H, H], B [D, 2 gates H], lengths [N], initial_h, initial_c [D,
/// N, H], P [D, 3 H] -> Y [T, D, N, H], Y_h, Y_c [D, N, H]; with layout 1 the batch comes first.
void compute_recurrence(ComputeContext& ctx);

/// com.microsoft's DynamicQuantizeLSTM: W [D, I, 4 H] and R [D, H, 4 H] of 8 bits, with scales and zero
/// points at inputs 8 to 11, a direction or a column each. The input as a whole, and the hidden state of
/// every step, are brought to 8 bits by their own range before they meet the weights.
void compute_quantized_lstm(ComputeContext& ctx);

}  // namespace compressor::ops

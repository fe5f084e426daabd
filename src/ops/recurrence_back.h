// recurrence_back: gradients of LSTM, GRU and RNN, back through time.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// Of X, W, R, B, initial_h, initial_c and P, from those of Y, Y_h and Y_c. The forward pass is run again,
/// and what every step read and made is written down (steps * batch * (2 gates + 5) * hidden numbers a
/// direction); the way back then takes one product with R a step, and one each for dX, dW and dR over all
/// steps.
void recurrence_gradient(GradientContext& ctx);

}  // namespace compressor::ops

// run_recurrence: LSTM, GRU and RNN in the engine, float32, with weights packed once.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

bool run_recurrence(RunContext& ctx);

}  // namespace compressor::ops

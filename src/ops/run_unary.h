// run_unary: functions of one element by name, in the engine: forward on floats in whatever order they lie,
// and their slopes.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// Gives the entry its run rule, gradient and what it keeps; does nothing for a name that is not known here.
void add_unary_rules(Op& op);

}  // namespace compressor::ops

// axis_back: the gradient of operators that make every position of an axis of weighted others: Resize, and
// Pad by reflection.
#pragma once

#include <vector>

#include "compressor/ops/run.h"
#include "ops/resample.h"

namespace compressor::ops {

/// Sets the gradient of input 0, whose axes have `taps`; an axis without any stays as it is.
void gradient_along_axes(GradientContext& ctx, const std::vector<std::optional<AxisTaps>>& taps);

}  // namespace compressor::ops

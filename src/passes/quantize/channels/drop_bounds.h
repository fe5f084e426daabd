// drop_bounds: which Clip from 0 to a bound gives way to Relu, through which factors and biases pass.
#pragma once

#include "compressor/passes/quantize.h"
#include "passes/quantize/channels/moments.h"

namespace compressor::quantize {

/// Before norms are read: bounds that are to go whatever is known (--relu6 replace).
void drop_bounds(const Quantize& q, Model& model, PassContext& context);
/// In a prepared model: bounds that are not reached by what norms tell or, without `moments`, data shows.
void drop_far_bounds(const Quantize& q, Model& model, const Moments* moments, PassContext& context);

}  // namespace compressor::quantize

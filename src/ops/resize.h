// resize: portable arithmetic of Resize and Upsample.
#pragma once

#include <span>

#include "compressor/ops/op.h"
#include "ops/resample.h"

namespace compressor::ops {

/// x with its axes brought from lengths axes[i].in to axes[i].out, one after the other; `extrapolation`
/// stands where a box leaves the image.
Tensor resize(const Tensor& x, const Resampling& how, std::span<const ResizedAxis> axes,
              double extrapolation);

}  // namespace compressor::ops

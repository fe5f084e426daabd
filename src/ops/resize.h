// resize: portable arithmetic of Resize and Upsample.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compressor/ops/op.h"
#include "compressor/ops/run.h"
#include "ops/resample.h"

namespace compressor::ops {

/// x with its axes brought from lengths axes[i].in to axes[i].out, one after the other; `extrapolation`
/// stands where a box leaves the image.
Tensor resize(const Tensor& x, const Resampling& how, std::span<const ResizedAxis> axes,
              double extrapolation);

/// Which inputs say what, in the version at hand; 99: none does.
struct ResizeInputs {
  std::size_t roi = 99, scales = 99, sizes = 99;
};

ResizeInputs resize_inputs(const Node& node, std::int64_t opset);
/// The axes that scales and sizes speak of.
std::vector<std::int64_t> resized_axes(const Node& node, std::int64_t rank);
/// The kernel of Resize and Upsample.
void compute_resize(ComputeContext& ctx);
/// The same of float32 that lies channels-last, as it lies: channels are then rows of neighbours.
bool run_resize(RunContext& ctx);
/// Every pixel's gradient goes back by the weights it was made with. Reads the inputs 1 to 3.
void resize_gradient(GradientContext& ctx);

}  // namespace compressor::ops

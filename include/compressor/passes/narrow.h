// narrow: a model whose float32 becomes float16, or whose weights are stored in bfloat16 or float8.
#pragma once

#include <cstdint>

#include "compressor/pass/pass.h"

namespace compressor {

struct NarrowOptions {
  bool keep_io_types = false;  ///< inputs and outputs stay float32, with a Cast behind or in front of them
};

/// Weights and activations of float32 become float16. Left in float32, with a Cast on either side and the
/// reason in `context`: nodes that `context.filter` leaves out, whose constants exceed float16, that read or
/// give values which exceed it on the context's data (where it has any), that have bodies or are not of
/// ai.onnx, and operators that are defined for float32 alone.
void narrow_to_half(Model& model, const NarrowOptions& options, PassContext& context);

/// Weights of float32 become bfloat16, or float8e4m3fn with a scale for every output channel, and are decoded
/// in front of their readers by Cast (and Mul), which runtimes do once when they load; arithmetic stays in
/// float32. What would not get smaller is skipped. Throws Error::target when there is nothing to do.
void store_narrow(Model& model, DType type, PassContext& context);

}  // namespace compressor

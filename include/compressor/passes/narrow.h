// narrow: a model whose float32 becomes float16.
#pragma once

#include <cstdint>

#include "compressor/pass/pass.h"

namespace compressor {

struct NarrowOptions {
  bool keep_io_types = false;  ///< inputs and outputs stay float32, with a Cast behind or in front of them
};

/// Weights and activations of float32 become float16. Left in float32, with a Cast on either side and the
/// reason in `context`: nodes that `context.filter` leaves out, whose constants exceed float16, that have
/// bodies or are not of ai.onnx, and operators that are defined for float32 alone.
void narrow_to_half(Model& model, const NarrowOptions& options, PassContext& context);

}  // namespace compressor

// attend: portable arithmetic of scaled dot product attention.
#pragma once

#include "compressor/ops/op.h"

namespace compressor::ops {

/// ONNX's Attention: inputs Q, K, V, mask, past key, past value, lengths of keys that are no padding; outputs
/// Y, present key, present value, and the scores at the stage that `qk_matmul_output_mode` names.
void compute_attention(ComputeContext& ctx);

}  // namespace compressor::ops

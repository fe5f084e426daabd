// attend: portable arithmetic of scaled dot product attention, and its gradient.
#pragma once

#include "compressor/ops/run.h"

namespace compressor::ops {

/// ONNX's Attention: inputs Q, K, V, mask, past key, past value, lengths of keys that are no padding; outputs
/// Y, present key, present value, and the scores at the stage that `qk_matmul_output_mode` names.
void compute_attention(ComputeContext& ctx);
/// Of queries, keys, values, a mask of floats, and the past; reads all inputs. The scores of output 3 have
/// none.
void attention_gradient(GradientContext& ctx);

}  // namespace compressor::ops

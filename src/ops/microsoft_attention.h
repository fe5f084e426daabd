// microsoft_attention: kernels of com.microsoft's attention operators.
#pragma once

#include "compressor/ops/op.h"

namespace compressor::ops {

void compute_microsoft_attention(ComputeContext& ctx);
void compute_multi_head_attention(ComputeContext& ctx);
void compute_group_query_attention(ComputeContext& ctx);

}  // namespace compressor::ops

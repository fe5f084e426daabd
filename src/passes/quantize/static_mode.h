// static_mode: mode static from the ranges that there are: given ones, seen ones, or what norms tell.
#pragma once

#include "compressor/passes/quantize.h"
#include "passes/quantize/channels/prepare_channels.h"
#include "passes/quantize/integer/static_qdq.h"
#include "passes/quantize/rounding/gptq.h"

namespace compressor::quantize {

/// Throws Error::usage where nothing says what activations hold, Error::target where nothing can be
/// quantized.
void run_static(const Quantize& q, Model& model, const ScalingOptions& scaling,
                const std::optional<GptqOptions>& gptq, StaticOptions& options, PassContext& context);

}  // namespace compressor::quantize

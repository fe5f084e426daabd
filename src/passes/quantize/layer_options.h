// layer_options: options of quantize that single layers have another value of.
#pragma once

#include <memory>
#include <string>

#include "compressor/passes/quantize.h"
#include "passes/quantize/integer/static_qdq.h"

namespace compressor::quantize {

/// Throws Error::usage, naming the entry, for settings that do not go together or not with the mode.
void check_layers(const Quantize& q, const LayerSettings& layers, const std::string& mode);

/// `q` with what the settings say of the node; null where they say nothing. What contradicts an own setting
/// is not inherited: a type where there are own bits, a zero point where the layer is symmetric.
std::unique_ptr<Quantize> own_options(const Quantize& q, const LayerSettings& layers, const Node& node);

/// For mode static, where a layer may only have a clip of its own.
StaticOptions with_clip(const StaticOptions& options, const LayerSettings& layers, const Node& node);

}  // namespace compressor::quantize

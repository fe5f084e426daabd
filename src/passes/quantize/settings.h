// settings: what the words of quantize's options mean to its modes.
#pragma once

#include <optional>

#include "compressor/passes/quantize.h"
#include "passes/quantize/rounding/gptq.h"
#include "passes/quantize/targets.h"
#include "passes/quantize/weight_only.h"

namespace compressor::quantize {

/// Bits of a stored weight: those of --type, else --bits.
int bits_of(const Quantize& q);
WeightOnlyOptions weight_options(const Quantize& q);
/// --target with --activation-type.
Target target_for(const Quantize& q);
/// How to round by what layers take in; nullopt for the nearest codes. Throws Error::usage where that needs
/// data and there is none.
std::optional<GptqOptions> rounding_of(const Quantize& q, bool has_data);

}  // namespace compressor::quantize

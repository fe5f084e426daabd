// conflicts: options of quantize that do not go together, or not with a mode. Each throws Error::usage that
// names them.
#pragma once

#include <string>

#include "compressor/passes/quantize.h"

namespace compressor::quantize {

/// What the target decides in modes static and dynamic.
void check_scales(const Quantize& q, const std::string& mode);
/// The mode that scales for weights alone, and what it needs.
void check_awq(const Quantize& q, const std::string& mode, bool has_data);
/// What only ranges of activations are found with is not to be set where there are none.
void check_no_ranges(const Quantize& q, const std::string& why);
/// What only a calibration reads is not to be set where there is none.
void check_not_calibrating(const Quantize& q, const std::string& why);
/// What says how activations are written is not to be set where they stay in float, and must be known to the
/// target.
void check_form(const Quantize& q, const std::string& mode);
/// What factors between layers, made inputs and re-estimation go with.
void check_equalize(const Quantize& q, const std::string& mode, bool has_data);

}  // namespace compressor::quantize

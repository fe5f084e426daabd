// read_together: which classes of channels may have a factor, and which of them are read by the same weights.
#pragma once

#include <vector>

#include "passes/quantize/channels/scale_flow.h"

namespace compressor::quantize {

/// [classes]: something makes it, something reads it, and nothing fixes it. `products_only`: no convolution
/// takes part.
std::vector<bool> open_classes(const ScaleFlow& flow, bool products_only = false);

/// Open classes that have a reader in common, each set ascending, sets by their first class.
std::vector<std::vector<std::size_t>> read_together(const ScaleFlow& flow, const std::vector<bool>& open,
                                                    const std::vector<const ScaledConstant*>& readers);

}  // namespace compressor::quantize

// noisy_values: the few activations that 8 bits would ruin a network at.
#pragma once

#include <string>

#include "passes/quantize/integer/static_qdq.h"
#include "passes/quantize/ranges/output_noise.h"

namespace compressor::quantize {

struct NoisyValues {
  InFloat in_float;
  double noise = 0;  ///< that the others bring, over the outputs' power
};

/// Values that had better stay in float, by name, and why: as long as rounding a single one brings more than
/// `share` of the noise of all at the outputs, and no less than a thousandth of their power, it is taken out,
/// and with it the layers that would read or give it in integers. Values that only pass others on are on
/// their grid already and bring none. It ends before more than half of the nodes would be left in float.
///   x -> Conv -> y -> Conv -> z, y noisy:   both Conv stay in float, x and z need no scale
NoisyValues noisy_values(const Model& model, const Ranges& ranges, const StaticOptions& options,
                         const OutputNoise& noise, double share, const NodeFilter& filter);

}  // namespace compressor::quantize

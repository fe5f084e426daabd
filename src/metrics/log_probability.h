// log_probability: how likely a row of class scores says that a class is.
#pragma once

#include <cstddef>
#include <span>

namespace compressor::metrics {

/// Natural logarithm of the probability of `index`, in double precision. `row` holds logits, or probabilities
/// when none is negative and they sum to 1 within 1e-3.
double log_probability(std::span<const float> row, std::size_t index);

}  // namespace compressor::metrics

// log_probability: how likely a row of class scores says that a class is.
//
//   logits          z_i - m - log sum exp(z_j - m),  m = max z
//   probabilities   log p_i, not below the logarithm of the smallest float
#include "metrics/log_probability.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace compressor::metrics {

double log_probability(std::span<const float> row, std::size_t index) {
  double sum = 0, most = -std::numeric_limits<double>::infinity();
  bool negative = false;
  for (const float z : row) {
    sum += static_cast<double>(z);
    most = std::max(most, static_cast<double>(z));
    negative = negative || z < 0;
  }
  const auto z = static_cast<double>(row[index]);
  if (!negative && std::abs(sum - 1) < 1e-3)
    return std::log(std::max(z, static_cast<double>(std::numeric_limits<float>::min())));
  double total = 0;
  for (const float other : row) total += std::exp(static_cast<double>(other) - most);
  return z - most - std::log(total);
}

}  // namespace compressor::metrics

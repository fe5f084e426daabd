// pairs: what tests of quantize call two codes that a kernel adds in 16 bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace compressor::quantize {

/// The largest sum of two codes of one sign that a kernel adds, by definition.
inline std::int32_t largest_pair(const std::vector<std::int32_t>& codes, std::size_t positions) {
  std::vector<std::int32_t> walk;
  const std::size_t inputs = codes.size() / positions;
  for (std::size_t k = 0; k < positions; ++k) {
    for (std::size_t c = 0; c < inputs; ++c) walk.push_back(codes[c * positions + k]);
  }
  std::int32_t largest = 0;
  for (std::size_t i = 1; i < walk.size(); ++i) {
    if (inputs % 2 == 0 && i % 2 == 0) continue;
    if (static_cast<std::int64_t>(walk[i - 1]) * walk[i] > 0)
      largest = std::max(largest, std::abs(walk[i - 1] + walk[i]));
  }
  return largest;
}

}  // namespace compressor::quantize

// half: constants as float16, and what that does to them.
#pragma once

#include <cstdint>

#include "compressor/tensor/tensor.h"

namespace compressor::narrow {

constexpr float kLargestHalf = 65504;

/// What a constant holds, as far as float16 cares.
struct Extent {
  float largest = 0;
  bool finite = true;
  bool raised = false;     ///< a single number that becomes the least of float16
  std::uint64_t lost = 0;  ///< numbers that become 0
};
Extent extent_of(const Tensor& t);

/// The same numbers rounded to float16, tensor by tensor while saving. A single number that would become 0
/// becomes the least of float16 instead: it is there so that nothing is divided by 0, or its logarithm taken.
Tensor to_half(const Tensor& given);

}  // namespace compressor::narrow

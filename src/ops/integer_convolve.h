// integer_convolve: convolutions of 8-bit numbers, exact in 32 bits.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/window.h"

namespace compressor::ops {

/// x [N, groups * channels, in..] and w [groups * filters, channels, kernel..], both less their zero points;
/// the padding is zero.
struct IntegerConvolution {
  FixedWindow window;
  std::int64_t batch = 1, groups = 1, channels = 1, filters = 1;  ///< channels, filters: of one group
  const std::int16_t* x = nullptr;
  const std::int16_t* w = nullptr;
};

/// [N, groups * filters, out..]
std::vector<std::int32_t> integer_convolve(const IntegerConvolution& c);

}  // namespace compressor::ops

// convert: numbers of one whole type as floats, as another whole type or as bool.
#pragma once

#include <cstddef>
#include <cstdint>

#include "compressor/tensor/dtype.h"

namespace compressor::kernels {

/// Writes n numbers of type `from` as type `to`, whole ones wrapping; a bool is 1 for what is not zero. False
/// for pairs that are not known here: known are bool, uint8, int8, int32, int64 and float32, and everything
/// between them but float32 as a whole number.
bool convert(DType from, const std::byte* x, DType to, std::byte* y, std::int64_t n);

}  // namespace compressor::kernels

// quantize: numbers to 8-bit codes and back, as ONNX defines it to the bit.
#pragma once

#include <cstdint>

#include "compressor/kernels/memory.h"

namespace compressor::kernels {

/// rows x n numbers; every row has one scale, or all rows have a scale for each of their n columns.
struct QuantizeShape {
  std::int64_t rows = 1, n = 0;
  bool by_column = false;
  std::int64_t scales = 1;   ///< how many: row r has number r % scales, column c number c
  bool signed_code = false;  ///< int8, else uint8
};

/// code = saturate(round(x / scale) + zero), halves to even. NaN becomes the lowest code.
void quantize(const QuantizeShape& shape, const float* x, const float* scale, const std::int32_t* zero,
              std::byte* codes);
/// x = (code - zero) scale
void dequantize(const QuantizeShape& shape, const std::byte* codes, const float* scale,
                const std::int32_t* zero, float* x);

}  // namespace compressor::kernels

// arithmetic: y = a op b over rows of numbers, either operand of which may repeat.
#pragma once

#include <cstdint>

namespace compressor::kernels {

enum class Arithmetic : std::uint8_t { kAdd, kSub, kMul, kDiv, kMax, kMin };

/// Rows of n numbers; strides in numbers, 0 where an operand repeats.
struct OperandRows {
  std::int64_t rows = 1, n = 1;
  std::int64_t a_row = 0, a = 1;
  std::int64_t b_row = 0, b = 1;
};

/// y [rows, n], dense; y may be the memory of an operand whose elements lie as y's do. Of two numbers of
/// which one is NaN the larger and the smaller are NaN.
void combine(Arithmetic op, const OperandRows& s, const float* a, const float* b, float* y);

}  // namespace compressor::kernels

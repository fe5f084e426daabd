// integer_product: products of small integers, exact in 32 bits.
#pragma once

#include <cstdint>

namespace compressor::kernels {

/// c[i, j] = sum over t of a[i, t] * b[j, t] for i < m, j < n: both operands have what is summed over in
/// their rows, k numbers without gaps. c has rows of n. Operands are 8-bit numbers less an 8-bit zero point
/// (at most 255 in magnitude); sums past 32 bits wrap. The same bits on any processor, with any number of
/// threads.
void integer_product(const std::int16_t* a, const std::int16_t* b, std::int32_t* c, std::int64_t m,
                     std::int64_t n, std::int64_t k);

}  // namespace compressor::kernels

// product: the matrix product that portable kernels stand on.
#pragma once

#include <cstdint>
#include <vector>

namespace compressor::ops {

/// c [m, n] += a [m, k] b [k, n]; row-major, rows lda, ldb, ldc apart. Every element is summed in the order
/// of k, in blocks that depend on k alone, by multiplications and additions that are not fused: the same bits
/// whatever the processor, and however m and n are cut.
void add_product(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
                 const float* b, std::int64_t ldb, float* c, std::int64_t ldc);
void add_product(std::int64_t m, std::int64_t n, std::int64_t k, const double* a, std::int64_t lda,
                 const double* b, std::int64_t ldb, double* c, std::int64_t ldc);
void add_product(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* a, std::int64_t lda,
                 const std::int64_t* b, std::int64_t ldb, std::int64_t* c, std::int64_t ldc);

/// [rows, columns], rows `ld` apart, as [columns, rows].
template <class T>
std::vector<T> transposed(const T* from, std::int64_t rows, std::int64_t columns, std::int64_t ld) {
  std::vector<T> to(static_cast<std::size_t>(rows * columns));
  constexpr std::int64_t kTile = 32;
  for (std::int64_t r0 = 0; r0 < rows; r0 += kTile) {
    const std::int64_t r1 = r0 + kTile < rows ? r0 + kTile : rows;
    for (std::int64_t c = 0; c < columns; ++c) {
      for (std::int64_t r = r0; r < r1; ++r) to[static_cast<std::size_t>(c * rows + r)] = from[r * ld + c];
    }
  }
  return to;
}

}  // namespace compressor::ops

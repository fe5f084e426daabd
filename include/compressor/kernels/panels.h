// panels: products of a few rows by a matrix that is packed once, such as those of recurrent steps.
#pragma once

#include <cstdint>
#include <vector>

#include "compressor/kernels/memory.h"

namespace compressor::kernels {

/// The transpose of b [n, k], in panels of columns.
class Panels {
 public:
  Panels() = default;
  /// Rows of b are `stride` apart.
  Panels(const float* b, std::int64_t n, std::int64_t k, std::int64_t stride);
  bool empty() const { return n_ == 0; }

  /// y [rows, n] += a [rows, k] b', rows of y `stride` apart. The same bits at any number of threads.
  void add(const float* a, std::int64_t rows, float* y, std::int64_t stride) const;

 private:
  std::int64_t n_ = 0, k_ = 0;
  Buffer packed_;  ///< [panels, k, columns of a panel]
};

}  // namespace compressor::kernels

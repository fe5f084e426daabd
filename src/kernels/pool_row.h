// pool_row: one row of windows over an image of two axes.
#pragma once

#include <cstdint>

namespace compressor::kernels {

/// The windows that stand side by side in one row of outputs: all reach the same `height` rows of the image.
struct PoolRow {
  const float* x = nullptr;  ///< the first of those rows
  float* y = nullptr;
  std::int64_t channels = 1;
  std::int64_t height = 1, below = 0;  ///< rows, and numbers from one to the next
  std::int64_t in = 1, out = 1;        ///< places along the row
  std::int64_t kernel = 1, stride = 1, dilation = 1, pad_begin = 0, pad_end = 0;
};

/// -infinity where a window has no place inside.
void max_row(const PoolRow& row);
/// Means; `padded_height`: rows that count of the padded image, 0 where only places inside do.
void average_row(const PoolRow& row, std::int64_t padded_height);

}  // namespace compressor::kernels

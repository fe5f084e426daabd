// softmax: distributions along one axis, and their gradients.
#pragma once

#include <cstdint>

namespace compressor::kernels {

/// x [outer, n, inner]: distributions over the n numbers that are `inner` apart.
struct SoftmaxShape {
  std::int64_t outer = 1, n = 1, inner = 1;
  bool log = false;  ///< their logarithm instead
};
/// The same bits at any number of threads.
void softmax(const SoftmaxShape& shape, const float* x, float* y);
/// dx from y and dy; dx may be dy.
void softmax_backward(const SoftmaxShape& shape, const float* y, const float* dy, float* dx);

}  // namespace compressor::kernels

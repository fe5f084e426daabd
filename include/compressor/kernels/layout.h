// layout: in which order the elements of an activation lie in memory, and the way from one order to another.
#pragma once

#include <cstddef>
#include <cstdint>

#include "compressor/tensor/tensor.h"

namespace compressor::kernels {

/// Shapes are always the graph's: [N, C, spatial...]. The order only says where an element lies.
enum class Layout : std::uint8_t {
  kPlain,         ///< row-major in the order of the shape
  kChannelsLast,  ///< N, spatial..., C; for tensors of rank 3 and more
};

/// True when both orders are the same for this shape: low rank, one channel, or one place.
bool same_order(const Dims& shape);

/// Copies elements of `width` bytes from one order to the other, in parallel.
void reorder(const Dims& shape, std::size_t width, Layout from, const std::byte* in, Layout to,
             std::byte* out);

}  // namespace compressor::kernels

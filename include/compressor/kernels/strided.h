// strided: elements that are copied or added up from one order, place or extent to another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compressor/kernels/layout.h"

namespace compressor::kernels {

/// One axis of what is copied: how many, and how far apart they lie, in elements; strides may be 0 or
/// negative.
struct StridedAxis {
  std::int64_t n = 1;
  std::int64_t from = 0;
  std::int64_t to = 0;
};
using StridedAxes = std::vector<StridedAxis>;

/// Strides of the axes of a tensor that lies in `layout`.
std::vector<std::int64_t> strides_of(const Dims& shape, Layout layout);

/// Copies elements of `width` bytes (1, 2, 4, 8, 16), in parallel; no two of them go to the same place.
void copy_strided(std::size_t width, StridedAxes axes, const std::byte* from, std::byte* to);
/// to += from. Several may go to the same place where an axis has to == 0. The same bits at any number of
/// threads.
void add_strided(StridedAxes axes, const float* from, float* to);

}  // namespace compressor::kernels

// weight_stats: norms and distances of slices of a weight, streamed, so that no weight is ever held whole.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "compressor/tensor/tensor.h"

namespace compressor {

/// Calls visit(first, values) over elements [first, first + count) in order, as float, a few ten thousand at
/// a time, from a buffer that each thread keeps. Throws Error::model for types that are not numbers.
void stream_floats(const Tensor& tensor, std::uint64_t first, std::uint64_t count,
                   const std::function<void(std::uint64_t first, std::span<const float> values)>& visit);

/// Of each index along one axis, over all elements at that index. A NaN makes its sums NaN.
struct AxisNorms {
  std::uint64_t slice_size = 0;     ///< elements at one index
  std::vector<double> sum_abs;      ///< l1
  std::vector<double> sum_squares;  ///< l2, squared
  std::vector<double> max_abs;      ///< l-infinity
  std::vector<std::int64_t> nonzeros;
};

/// Negative axes count from the end; a CHECK fails outside the rank. One pass over the weight in parallel;
/// memory in proportion to the axis, not to the weight; the same bits at any number of threads.
AxisNorms axis_norms(const Tensor& weight, std::int64_t axis);
/// The same for several axes, still in one pass; results in the order of `axes`.
std::vector<AxisNorms> axis_norms(const Tensor& weight, std::span<const std::int64_t> axes);

/// Adds the squared Euclidean distances between units to `squares` [n, n]. A unit is the concatenation of
/// its slices along `axis`, in ascending position: unit_of[position] names the unit, -1 none; units that
/// have fewer slices than others are padded with zeros. Empty `unit_of`: position i is unit i.
/// By the Gram matrix in double: |a|^2 + |b|^2 - 2ab, never below zero. Memory is `squares`, one more of the
/// same size, and a block of rows. Distances over several weights are sums of squares: call it for each.
void add_pairwise_squares(const Tensor& weight, std::int64_t axis, std::span<const std::int64_t> unit_of,
                          std::int64_t n, std::span<double> squares);
/// The Euclidean distance between every two units [n, n], row-major, zero on the diagonal.
std::vector<double> pairwise_distances(const Tensor& weight, std::int64_t axis,
                                       std::span<const std::int64_t> unit_of = {});

}  // namespace compressor

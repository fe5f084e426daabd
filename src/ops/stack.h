// stack: tensors of one type joined along an axis, and slices taken out of one.
#pragma once

#include <span>
#include <vector>

#include "ops/elements.h"

namespace compressor::ops {

/// End to end along an axis that they have, in [0, rank). Throws Error::model where the other axes or the
/// types differ, or there are none.
Tensor joined(std::span<const Tensor> parts, std::int64_t axis);
/// Along a new axis in [0, rank].
Tensor stacked(std::span<const Tensor> parts, std::int64_t axis);
/// Positions [from, from + length) of an axis.
Tensor part_of(const Tensor& x, std::int64_t axis, std::int64_t from, std::int64_t length);
/// Without an axis of length 1.
Tensor without_axis(const Tensor& x, std::int64_t axis);

}  // namespace compressor::ops

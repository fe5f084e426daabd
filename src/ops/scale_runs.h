// scale_runs: which scale and zero point belong to which elements of a quantized tensor: one for all, one a
// position of an axis, or one a block along it.
#pragma once

#include <algorithm>

#include "compressor/ops/op.h"
#include "ops/movement.h"

namespace compressor::ops {

/// Type of the codes that QuantizeLinear makes: the zero point's, else what the node says, else uint8.
inline DType quantized_type(const Node& node, const DType* zero_point) {
  if (zero_point) return *zero_point;
  const std::int64_t given = node.int_or("output_dtype", 0);
  return given != 0 ? static_cast<DType>(given) : DType::kUint8;
}

/// Calls fn(first position in x, count, first position in scale, 0 or 1: how far the scale moves a step) for
/// runs of elements that together are x.
template <class Fn>
void each_run(const Node& node, const Dims& x, const Dims& scale, Fn&& fn) {
  const auto size = static_cast<std::int64_t>(num_elements(x));
  if (size == 0) return;
  std::int64_t block = node.int_or("block_size", 0);
  if (num_elements(scale) == 1 && block == 0) return fn(0, size, 0, 0);
  const auto axis =
      static_cast<std::size_t>(axis_in(node, node.int_or("axis", 1), static_cast<std::int64_t>(x.size())));
  Dims expected{x[axis]};
  if (block > 0) {
    expected = x;
    expected[axis] = (x[axis] + block - 1) / block;
  }
  if (scale != expected) {
    throw Error::model("node '{}' ({}): scale has shape {}, expected {} for axis {}", node.label(), node.op(),
                       to_string(scale), to_string(expected), axis);
  }
  const std::int64_t length = x[axis];
  const auto first_inner = x.begin() + static_cast<std::ptrdiff_t>(axis) + 1;
  const auto inner = static_cast<std::int64_t>(num_elements({first_inner, x.end()}));
  const std::int64_t outer = size / (length * inner);
  for (std::int64_t o = 0; o < outer; ++o) {
    if (block == 0 && inner == 1) {
      fn(o * length, length, 0, 1);
    } else if (block > 0 && inner == 1) {
      for (std::int64_t t = 0; t < length; t += block) {
        fn(o * length + t, std::min(block, length - t), o * expected[axis] + t / block, 0);
      }
    } else {
      for (std::int64_t t = 0; t < length; ++t) {
        const std::int64_t s = block > 0 ? (o * expected[axis] + t / block) * inner : t;
        fn((o * length + t) * inner, inner, s, block > 0 ? 1 : 0);
      }
    }
  }
}

}  // namespace compressor::ops

// quantized: tensors of few bits as numbers without their zero points, and numbers back in few bits.
#pragma once

#include <cstdint>
#include <vector>

#include "compressor/ops/op.h"

namespace compressor::ops {

/// Rounds to nearest even, adds the zero point, saturates to an integer type of at most 16 bits.
class Rounder {
 public:
  Rounder() = default;
  Rounder(DType type, std::int64_t zero);
  std::int32_t operator()(float v) const {
    v = v > low_ ? v : low_;  // NaN is the smallest
    v = v < high_ ? v : high_;
    // Adding 1.5 * 2^23 leaves no bits behind the point; the bounds are far below that.
    constexpr float kWhole = 12582912.0F;
    return static_cast<std::int32_t>((v + kWhole) - kWhole) + zero_;
  }

 private:
  float low_ = 0, high_ = 0;  ///< of the type, less the zero point
  std::int32_t zero_ = 0;
};

/// Of an integer type: what it can hold.
struct Range {
  std::int64_t low, high;
};
Range range_of(DType type);

/// The numbers at input i, `otherwise` when it is missing; fails unless there are one or `n` of them. One
/// number is repeated when `n` are wanted.
std::vector<float> scales(const ComputeContext& ctx, std::size_t i, std::int64_t n);
std::vector<std::int32_t> zero_points(const ComputeContext& ctx, std::size_t i, std::int64_t n);
float scale(const ComputeContext& ctx, std::size_t i);
std::int32_t zero_point(const ComputeContext& ctx, std::size_t i);

/// The elements of an 8-bit tensor less one zero point. Fails for other types.
std::vector<std::int16_t> less_zero(const ComputeContext& ctx, std::size_t i, std::int32_t zero);
/// Less a zero point each: element e has zero[e / inner % zero.size()].
std::vector<std::int16_t> less_zeros(const ComputeContext& ctx, std::size_t i,
                                     const std::vector<std::int32_t>& zeros, std::int64_t inner);

/// 8-bit integers as a tensor of that type.
Tensor tensor_of_bytes(DType type, Dims shape, std::vector<std::byte> bytes);
Tensor tensor_of_ints(Dims shape, const std::vector<std::int32_t>& values);
Tensor tensor_of_floats(Dims shape, const std::vector<float>& values);

/// Fails unless the type is int8 or uint8.
void expect_8_bits(const ComputeContext& ctx, DType type, std::string_view what);

/// The parameters of one 8-bit tensor that is quantized as a whole, and a table of its numbers.
struct Quantized8 {
  Quantized8(const ComputeContext& ctx, std::size_t x, std::size_t scale_at, std::size_t zero_at);
  /// What a code stands for, as float.
  float operator()(std::byte code) const { return values[std::to_integer<std::size_t>(code)]; }
  DType type;
  std::vector<float> values;  ///< [256], by the code's bits
};

/// How numbers are quantized to uint8 by their own range, 0 included, as DynamicQuantizeLinear does.
struct DynamicRange {
  float scale = 0;
  std::int32_t zero = 0;
  /// Numbers that are all 0 have no scale.
  float divisor() const { return scale == 0 ? 1.0F : scale; }
};
DynamicRange dynamic_range(std::span<const float> x);

/// A function of one 8-bit tensor to another, as a table by the code's bits.
template <class Fn>
std::vector<std::byte> code_table(const Quantized8& from, const Rounder& to, Fn&& fn) {
  std::vector<std::byte> table;
  table.reserve(256);
  for (const float v : from.values) table.push_back(static_cast<std::byte>(to(fn(v))));
  return table;
}

}  // namespace compressor::ops

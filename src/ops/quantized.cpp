// quantized: reading and writing tensors of few bits.
#include "ops/quantized.h"

namespace compressor::ops {
namespace {

bool is_signed(DType type) {
  return type == DType::kInt8 || type == DType::kInt16 || type == DType::kInt32 || type == DType::kInt64 ||
         type == DType::kInt4 || type == DType::kInt2;
}

template <class T>
std::vector<T> repeated(const ComputeContext& ctx, std::size_t i, std::vector<T> values, std::int64_t n) {
  const auto count = static_cast<std::size_t>(n);
  if (values.size() == count) return values;
  if (values.size() != 1) ctx.fail("input {} has {} numbers, expected 1 or {}", i, values.size(), n);
  return std::vector<T>(count, values.front());
}

template <class Stored>
void subtract(const std::byte* from, std::int64_t count, std::int32_t zero, std::int16_t* to) {
  const auto* codes = reinterpret_cast<const Stored*>(from);
  for (std::int64_t k = 0; k < count; ++k) to[k] = static_cast<std::int16_t>(codes[k] - zero);
}

}  // namespace

Range range_of(DType type) {
  const int width = bits(type);
  CHECK(is_integer(type) && width < 64, "{} has no range", name(type));
  const std::int64_t values = std::int64_t{1} << width;
  return is_signed(type) ? Range{-values / 2, values / 2 - 1} : Range{0, values - 1};
}

Rounder::Rounder(DType type, std::int64_t zero) {
  const Range range = range_of(type);
  CHECK(bits(type) <= 16, "{} is too wide", name(type));
  low_ = static_cast<float>(range.low - zero);
  high_ = static_cast<float>(range.high - zero);
  zero_ = static_cast<std::int32_t>(zero);
}

std::vector<float> scales(const ComputeContext& ctx, std::size_t i, std::int64_t n) {
  return repeated(ctx, i, to_floats(ctx.in(i)), n);
}

std::vector<std::int32_t> zero_points(const ComputeContext& ctx, std::size_t i, std::int64_t n) {
  if (!ctx.has(i)) return std::vector<std::int32_t>(static_cast<std::size_t>(n), 0);
  const std::vector<std::int64_t> values = to_ints(ctx.in(i));
  return repeated(ctx, i, std::vector<std::int32_t>(values.begin(), values.end()), n);
}

float scale(const ComputeContext& ctx, std::size_t i) {
  return scales(ctx, i, 1).front();
}

std::int32_t zero_point(const ComputeContext& ctx, std::size_t i) {
  return zero_points(ctx, i, 1).front();
}

void expect_8_bits(const ComputeContext& ctx, DType type, std::string_view what) {
  if (type == DType::kInt8 || type == DType::kUint8) return;
  ctx.fail("{} is {}, expected int8 or uint8", what, name(type));
}

std::vector<std::int16_t> less_zero(const ComputeContext& ctx, std::size_t i, std::int32_t zero) {
  return less_zeros(ctx, i, {zero}, static_cast<std::int64_t>(ctx.in(i).size()));
}

std::vector<std::int16_t> less_zeros(const ComputeContext& ctx, std::size_t i,
                                     const std::vector<std::int32_t>& zeros, std::int64_t inner) {
  const Tensor& x = ctx.in(i);
  expect_8_bits(ctx, x.dtype, fmt::format("input {}", i));
  const BytesView view = x.bytes.view();
  const std::uint64_t size = x.size();
  if (view.size() != size) ctx.fail("input {} has {} bytes, expected {}", i, view.size(), size);
  std::vector<std::int16_t> out(size);
  std::size_t z = 0;
  for (std::uint64_t at = 0; at < size; at += static_cast<std::uint64_t>(inner)) {
    if (x.dtype == DType::kInt8) {
      subtract<std::int8_t>(view.data() + at, inner, zeros[z], out.data() + at);
    } else {
      subtract<std::uint8_t>(view.data() + at, inner, zeros[z], out.data() + at);
    }
    if (++z == zeros.size()) z = 0;
  }
  return out;
}

Tensor tensor_of_bytes(DType type, Dims shape, std::vector<std::byte> bytes) {
  Tensor tensor;
  tensor.dtype = type;
  tensor.shape = std::move(shape);
  tensor.bytes = Bytes::own(std::move(bytes));
  return tensor;
}

Tensor tensor_of_ints(Dims shape, const std::vector<std::int32_t>& values) {
  return tensor_of_bytes(DType::kInt32, std::move(shape),
                         {std::as_bytes(std::span(values)).begin(), std::as_bytes(std::span(values)).end()});
}

Tensor tensor_of_floats(Dims shape, const std::vector<float>& values) {
  return Tensor::of(shape, std::span<const float>(values));
}

Quantized8::Quantized8(const ComputeContext& ctx, std::size_t x, std::size_t scale_at, std::size_t zero_at)
    : type(ctx.in(x).dtype), values(256) {
  expect_8_bits(ctx, type, fmt::format("input {}", x));
  const float s = scale(ctx, scale_at);
  const std::int32_t zero = zero_point(ctx, zero_at);
  for (int code = 0; code < 256; ++code) {
    const int number = type == DType::kInt8 && code > 127 ? code - 256 : code;
    values[static_cast<std::size_t>(code)] = static_cast<float>(number - zero) * s;
  }
}

DynamicRange dynamic_range(std::span<const float> x) {
  float low = 0;
  float high = 0;
  for (const float v : x) {
    low = v < low ? v : low;
    high = v > high ? v : high;
  }
  DynamicRange range;
  range.scale = (high - low) / 255.0F;
  range.zero = Rounder(DType::kUint8, 0)(-low / range.divisor());
  return range;
}

}  // namespace compressor::ops

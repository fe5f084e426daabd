// grid: from numbers to codes and back, piece by piece.
#include "compressor/codec/grid.h"

#include <bit>
#include <cmath>
#include <memory>

#include "compressor/base/error.h"

namespace compressor::codec {
namespace {

constexpr std::uint64_t kPiece = 1U << 14U;  ///< elements that are floats at once

/// Adding it leaves a float with its whole part, rounded to nearest even, in the low bits of the mantissa.
constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23
constexpr std::int32_t kRounderBits = 0x4B400000;

struct Scales {
  std::vector<float> inverse;
  std::vector<float> low, high;  ///< of code - zero
  std::vector<std::int32_t> zero;
};

void encode_run(const float* x, std::uint64_t n, float inverse, float low, float high, std::int32_t zero,
                std::byte* out) {
#pragma omp simd
  for (std::uint64_t i = 0; i < n; ++i) {
    const float v = std::min(high, std::max(low, x[i] * inverse));
    const std::int32_t whole = std::bit_cast<std::int32_t>(v + kRounder) - kRounderBits + zero;
    out[i] = static_cast<std::byte>(whole & 0xFF);
  }
}

void encode_walk(const float* x, std::uint64_t n, const Scales& s, std::uint64_t at, std::byte* out) {
  const float* inverse = s.inverse.data() + at;
  const float* low = s.low.data() + at;
  const float* high = s.high.data() + at;
  const std::int32_t* zero = s.zero.data() + at;
#pragma omp simd
  for (std::uint64_t i = 0; i < n; ++i) {
    const float v = std::min(high[i], std::max(low[i], x[i] * inverse[i]));
    const std::int32_t whole = std::bit_cast<std::int32_t>(v + kRounder) - kRounderBits + zero[i];
    out[i] = static_cast<std::byte>(whole & 0xFF);
  }
}

}  // namespace

bool Grid::is_signed() const {
  return code == DType::kInt8 || code == DType::kInt4 || code == DType::kInt2;
}

std::uint64_t Grid::counted_bytes() const {
  const auto width = static_cast<std::uint64_t>(bits(code));
  return (blocks.size() * width + scale.size() * 32 + zero.size() * width + 7) / 8;
}

std::int32_t lowest(DType code) {
  const bool is_signed = code == DType::kInt8 || code == DType::kInt4 || code == DType::kInt2;
  return is_signed ? -(1 << (bits(code) - 1)) : 0;
}

std::int32_t highest(DType code) {
  return lowest(code) + (1 << bits(code)) - 1;
}

DType code_type(int bits, bool is_signed) {
  switch (bits) {
    case 2:
      return is_signed ? DType::kInt2 : DType::kUint2;
    case 4:
      return is_signed ? DType::kInt4 : DType::kUint4;
    case 8:
      return is_signed ? DType::kInt8 : DType::kUint8;
    default:
      CHECK(false, "codes of {} bits", bits);
      return DType::kUndefined;
  }
}

Bytes encode(const Tensor& weight, const Blocks& blocks, const std::vector<float>& scale,
             const std::vector<std::int32_t>& zero, Rounding rounding) {
  CHECK(weight.size() == blocks.size() && scale.size() == blocks.count());
  CHECK(zero.empty() || zero.size() == scale.size());
  auto scales = std::make_shared<Scales>();
  for (std::size_t i = 0; i < scale.size(); ++i) {
    const std::int32_t z = zero.empty() ? 0 : zero[i];
    scales->inverse.push_back(1.0F / scale[i]);
    scales->low.push_back(static_cast<float>(rounding.low - z));
    scales->high.push_back(static_cast<float>(rounding.high - z));
    scales->zero.push_back(z);
  }
  return Bytes::derive(weight.size(), [weight, blocks, scales](std::uint64_t offset,
                                                               std::span<std::byte> out) {
    std::vector<float> x(std::min<std::uint64_t>(kPiece, out.size()));
    for (std::uint64_t at = 0; at < out.size(); at += kPiece) {
      const std::uint64_t n = std::min<std::uint64_t>(kPiece, out.size() - at);
      const std::uint64_t first = offset + at;
      read_floats(weight, first, std::span(x).first(n));
      blocks.each_run(first, first + n,
                      [&](std::uint64_t element, std::uint64_t length, std::uint64_t s, std::uint64_t step) {
                        const float* from = x.data() + (element - first);
                        std::byte* to = out.data() + (element - offset);
                        if (step == 1) return encode_walk(from, length, *scales, s, to);
                        encode_run(from, length, scales->inverse[s], scales->low[s], scales->high[s],
                                   scales->zero[s], to);
                      });
    }
  });
}

Tensor decode(const Grid& grid) {
  Tensor result;
  result.dtype = DType::kFloat;
  result.shape = grid.shape;
  const std::uint64_t size = grid.blocks.size() * 4;
  if (size == 0) return result;
  const auto shared = std::make_shared<const Grid>(grid);
  result.bytes = Bytes::derive(size, [shared](std::uint64_t offset, std::span<std::byte> out) {
    const std::uint64_t first = offset / 4, last = (offset + out.size() + 3) / 4;
    std::vector<std::byte> codes(last - first);
    shared->codes.read(first, codes);
    std::vector<float> values(last - first);
    const bool is_signed = shared->is_signed();
    shared->blocks.each_run(
        first, last, [&](std::uint64_t element, std::uint64_t length, std::uint64_t s, std::uint64_t step) {
          for (std::uint64_t i = 0; i < length; ++i) {
            const std::byte raw = codes[element - first + i];
            const std::int32_t code =
                is_signed ? static_cast<std::int8_t>(raw) : std::to_integer<std::int32_t>(raw);
            const std::uint64_t k = s + i * step;
            values[element - first + i] = static_cast<float>(code - shared->zero_of(k)) * shared->scale[k];
          }
        });
    const auto bytes = std::as_bytes(std::span(values)).subspan(offset - first * 4, out.size());
    std::copy(bytes.begin(), bytes.end(), out.begin());
  });
  return result;
}

}  // namespace compressor::codec

// half: rounded when they are written, measured piece by piece.
#include "passes/narrow/half.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace compressor::narrow {
namespace {

constexpr float kSmallest = 2.98e-8F;  ///< below half of its least denormal all is 0
constexpr float kLeast = 5.97e-8F;     ///< that denormal

Tensor kept_from_zero(const Tensor& t) {
  if (t.size() != 1) return t;
  const float v = to_floats(t)[0];
  if (v == 0 || std::abs(v) >= kSmallest) return t;
  const float least = std::copysign(kLeast, v);
  return Tensor::of(t.shape, std::span<const float>(&least, 1));
}

}  // namespace

Tensor to_half(const Tensor& given) {
  const Tensor t = kept_from_zero(given);
  Tensor half = t;
  half.dtype = DType::kFloat16;
  half.field = Tensor::Field::kRaw;
  half.bytes = Bytes();
  if (t.size() == 0) return half;
  half.bytes = Bytes::derive(t.size() * 2, [t](std::uint64_t offset, std::span<std::byte> out) {
    const std::uint64_t first = offset / 2, last = (offset + out.size() + 1) / 2;
    std::vector<float> values(last - first);
    read_floats(t, first, values);
    for (std::uint64_t i = 0; i < out.size(); ++i) {
      const std::uint16_t code = float_to_half(values[(offset + i) / 2 - first]);
      out[i] = static_cast<std::byte>((offset + i) % 2 == 0 ? code & 0xFFU : code >> 8U);
    }
  });
  return half;
}

Extent extent_of(const Tensor& t) {
  Extent e;
  std::vector<float> values(std::min<std::uint64_t>(t.size(), 1U << 16U));
  for (std::uint64_t at = 0; at < t.size(); at += values.size()) {
    const std::span<float> part =
        std::span(values).first(std::min<std::uint64_t>(values.size(), t.size() - at));
    read_floats(t, at, part);
    for (const float v : part) {
      e.finite = e.finite && std::isfinite(v);
      e.largest = std::max(e.largest, std::abs(v));
      e.lost += v != 0 && std::abs(v) < kSmallest ? 1U : 0U;
    }
  }
  t.bytes.drop();
  e.raised = t.size() == 1 && e.lost == 1;
  if (e.raised) e.lost = 0;
  return e;
}

}  // namespace compressor::narrow

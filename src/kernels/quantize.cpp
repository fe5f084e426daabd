// quantize: loops that become vectors: clamp, round by adding 1.5 * 2^23, move by the zero point.
#include "compressor/kernels/quantize.h"

#include <algorithm>
#include <vector>

#include "compressor/kernels/in_parallel.h"
#include "kernels/simd.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kChunk = 1 << 14;
constexpr float kWhole = 12582912.0F;

/// Bounds are the type's, less the zero point, which is added after rounding.
COMPRESSOR_CLONES void quantize_run(const float* x, std::int64_t n, float scale, float zero, float low,
                                    float high, std::uint8_t* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    float v = x[i] / scale;
    v = v > low ? v : low;
    v = v < high ? v : high;
    y[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>((v + kWhole) - kWhole + zero));
  }
}

COMPRESSOR_CLONES void quantize_columns(const float* x, std::int64_t n, const float* scale, const float* zero,
                                        float low, float high, std::uint8_t* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    float v = x[i] / scale[i];
    v = v > low - zero[i] ? v : low - zero[i];
    v = v < high - zero[i] ? v : high - zero[i];
    y[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>((v + kWhole) - kWhole + zero[i]));
  }
}

template <class Code>
[[gnu::always_inline]] inline void dequantize_any(const Code* x, std::int64_t n, float scale,
                                                  std::int32_t zero, float* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i] - zero) * scale;
}
template <class Code>
[[gnu::always_inline]] inline void dequantize_any_columns(const Code* x, std::int64_t n, const float* scale,
                                                          const std::int32_t* zero, float* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i] - zero[i]) * scale[i];
}

COMPRESSOR_CLONES void dequantize_run(const std::byte* codes, bool is_signed, std::int64_t n, float scale,
                                      std::int32_t zero, float* y) {
  if (is_signed) return dequantize_any(reinterpret_cast<const std::int8_t*>(codes), n, scale, zero, y);
  dequantize_any(reinterpret_cast<const std::uint8_t*>(codes), n, scale, zero, y);
}

COMPRESSOR_CLONES void dequantize_columns(const std::byte* codes, bool is_signed, std::int64_t n,
                                          const float* scale, const std::int32_t* zero, float* y) {
  if (is_signed)
    return dequantize_any_columns(reinterpret_cast<const std::int8_t*>(codes), n, scale, zero, y);
  dequantize_any_columns(reinterpret_cast<const std::uint8_t*>(codes), n, scale, zero, y);
}

/// body(first number, count, first scale) for runs of some size, in parallel.
template <class Body>
void each_run(const QuantizeShape& s, const Body& body) {
  if (s.by_column) {
    const std::int64_t step = std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(1, s.n));
    const std::int64_t tasks = (s.rows + step - 1) / step;
    in_parallel(tasks > 1, tasks, [&](std::int64_t t) {
      for (std::int64_t r = t * step; r < std::min(s.rows, (t + 1) * step); ++r) body(r * s.n, s.n, 0);
    });
    return;
  }
  const std::int64_t cuts = (s.n + kChunk - 1) / kChunk;
  in_parallel(s.rows * s.n > kChunk, s.rows * cuts, [&](std::int64_t t) {
    const std::int64_t skip = t % cuts * kChunk;
    body(t / cuts * s.n + skip, std::min(kChunk, s.n - skip), t / cuts % s.scales);
  });
}

}  // namespace

void quantize(const QuantizeShape& s, const float* x, const float* scale, const std::int32_t* zero,
              std::byte* codes) {
  auto* y = reinterpret_cast<std::uint8_t*>(codes);
  const float low = s.signed_code ? -128.0F : 0.0F;
  const float high = s.signed_code ? 127.0F : 255.0F;
  const std::vector<float> zeros(zero, zero + s.scales);
  each_run(s, [&](std::int64_t at, std::int64_t count, std::int64_t k) {
    if (s.by_column) return quantize_columns(x + at, count, scale, zeros.data(), low, high, y + at);
    const float z = zeros[static_cast<std::size_t>(k)];
    quantize_run(x + at, count, scale[k], z, low - z, high - z, y + at);
  });
}

void dequantize(const QuantizeShape& s, const std::byte* codes, const float* scale, const std::int32_t* zero,
                float* x) {
  each_run(s, [&](std::int64_t at, std::int64_t count, std::int64_t k) {
    if (s.by_column) return dequantize_columns(codes + at, s.signed_code, count, scale, zero, x + at);
    dequantize_run(codes + at, s.signed_code, count, scale[k], zero[k], x + at);
  });
}

}  // namespace compressor::kernels

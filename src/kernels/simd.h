// simd: loops compiled once for each kind of processor, chosen when the program starts.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define COMPRESSOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define COMPRESSOR_CLONES
#endif

/// Before a loop whose steps do not depend on each other.
#if defined(__clang__)
#define COMPRESSOR_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define COMPRESSOR_INDEPENDENT _Pragma("GCC ivdep")
#endif

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace compressor::kernels {

/// e^x to 2 ulp, without branches so that loops over it become vectors; 0 and inf past the ends of float.
__attribute__((always_inline)) inline float exp_fast(float x) {
  constexpr float kLog2e = 1.44269504088896341F;
  constexpr float kLn2Hi = 0.693359375F;
  constexpr float kLn2Lo = -2.12194440e-4F;
  const float clamped = x < -87.33654F ? -87.33654F : (x > 88.72F ? 88.72F : x);
  const float shifted = clamped * kLog2e + 12582912.0F;  // rounds to the nearest integer
  const float n = shifted - 12582912.0F;
  const float r = clamped - n * kLn2Hi - n * kLn2Lo;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  // 2^n in two factors: n may be 128.
  const auto half = static_cast<std::int32_t>(n) / 2;
  const auto other = static_cast<std::int32_t>(n) - half;
  const float a = std::bit_cast<float>((half + 127) << 23);
  const float b = std::bit_cast<float>((other + 127) << 23);
  const float y = p * a * b;
  return x < -103.0F ? 0.0F : (x > 88.72284F ? HUGE_VALF : (x != x ? x : y));
}

/// Sixteen numbers that stay in registers, of whatever width the processor has. Given by reference: how they
/// are passed by value depends on that width.
using Lanes = float __attribute__((vector_size(64)));
using IntLanes = std::int32_t __attribute__((vector_size(64)));
inline constexpr int kLaneCount = 16;

/// x = e^x, the same numbers as exp_fast gives.
__attribute__((always_inline)) inline void exp_lanes(Lanes& x) {
  constexpr float kLog2e = 1.44269504088896341F;
  constexpr float kLn2Hi = 0.693359375F;
  constexpr float kLn2Lo = -2.12194440e-4F;
  Lanes clamped = x < -87.33654F ? Lanes{} - 87.33654F : x;
  clamped = clamped > 88.72F ? Lanes{} + 88.72F : clamped;
  const Lanes shifted = clamped * kLog2e + 12582912.0F;
  const Lanes n = shifted - 12582912.0F;
  const Lanes r = clamped - n * kLn2Hi - n * kLn2Lo;
  Lanes p = Lanes{} + 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const IntLanes whole = __builtin_convertvector(n, IntLanes);
  const IntLanes half = whole / 2;
  const IntLanes first = (half + 127) << 23;
  const IntLanes second = (whole - half + 127) << 23;
  Lanes a;
  Lanes b;
  std::memcpy(&a, &first, sizeof(a));
  std::memcpy(&b, &second, sizeof(b));
  const Lanes y = p * a * b;
  const Lanes bounded = x > 88.72284F ? Lanes{} + HUGE_VALF : y;
  const Lanes positive = x < -103.0F ? Lanes{} : bounded;
  x = x != x ? x : positive;  // NOLINT(misc-redundant-expression): only NaN differs from itself
}

__attribute__((always_inline)) inline float sigmoid_fast(float x) {
  return 1.0F / (1.0F + exp_fast(-x));
}

/// tanh to a few ulp: by e^2x away from zero, by its series near it.
__attribute__((always_inline)) inline float tanh_fast(float x) {
  const float ax = x < 0 ? -x : x;
  const float e = exp_fast(2.0F * (ax > 10.0F ? 10.0F : ax));
  const float far = 1.0F - 2.0F / (e + 1.0F);
  const float s = x * x;
  float near = -5.70498872745e-3F;
  near = near * s + 2.06390887954e-2F;
  near = near * s - 5.37397155531e-2F;
  near = near * s + 1.33314422036e-1F;
  near = near * s - 3.33332819422e-1F;
  near = near * s * ax + ax;
  const float y = ax < 0.625F ? near : far;
  return x != x ? x : (x < 0 ? -y : y);
}

}  // namespace compressor::kernels

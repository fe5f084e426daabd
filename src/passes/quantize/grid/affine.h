// affine: the scale and the zero point that lay a range of numbers on whole ones.
#pragma once

#include <cstdint>

#include "compressor/tensor/dtype.h"

namespace compressor::quantize {

/// The codes that may be used: int8 without -128 is [-127, 127], 7 bits of it [-64, 63].
struct CodeRange {
  std::int32_t low = -127, high = 127;
  bool operator==(const CodeRange&) const = default;
};

/// Codes of that many bits. Symmetric ones leave out the lowest, so that they are as many on both sides of 0,
/// but for 2 bits ([-2, 1]). `reduced` takes one bit away, for products of 8-bit codes that would saturate in
/// 16 bits.
CodeRange code_range(int bits, bool is_signed, bool symmetric, bool reduced = false);

/// x ~ (code - zero) * scale.
struct Affine {
  float scale = 1;
  std::int32_t zero = 0;
  bool operator==(const Affine&) const = default;
};

/// Has [low, high] a scale? Not where it is so narrow or so wide that the scale has no inverse in float32.
/// What holds only 0 has any.
bool has_scale(float low, float high, const CodeRange& codes);

/// Takes [low, high], widened to hold 0 so that 0 is a code exactly, to the codes (Jacob 2018). A range that
/// is only 0, or has no scale, gets 1.
Affine affine_of(float low, float high, const CodeRange& codes);
/// The same with the zero point in the middle of the codes (0 for signed ones): the larger of |low|, |high|
/// decides.
Affine symmetric_of(float low, float high, const CodeRange& codes);

}  // namespace compressor::quantize

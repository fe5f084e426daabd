// grid: a weight as whole numbers on a grid: blocks of values that share a scale and a zero point.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "compressor/tensor/tensor.h"

namespace compressor::codec {

/// Which elements share a scale: the memory of a weight seen as [n0, n1, n2] and cut into blocks of
/// [b0, b1, b2] elements (the last block of an axis may be smaller).
///   per tensor            [1, 1, n] in one block
///   per row of [O, K]     [1, O, K] in blocks of [1, 1, K]
///   per column of [K, N]  [1, K, N] in blocks of [1, K, 1]
struct Blocks {
  std::array<std::uint64_t, 3> dims{1, 1, 1};
  std::array<std::uint64_t, 3> block{1, 1, 1};

  std::uint64_t size() const { return dims[0] * dims[1] * dims[2]; }
  std::uint64_t count(std::size_t axis) const { return (dims[axis] + block[axis] - 1) / block[axis]; }
  std::uint64_t count() const { return count(0) * count(1) * count(2); }
  bool operator==(const Blocks&) const = default;

  /// Calls run(element, length, scale, step) for runs of elements that cover [first, last) in order; element
  /// i of a run has scale number `scale + i * step`, where step is 0 or 1.
  template <class Run>
  void each_run(std::uint64_t first, std::uint64_t last, Run&& run) const;
};

/// A weight w = (code - zero) * scale.
struct Grid {
  Dims shape;
  DType type = DType::kFloat;  ///< of the decoded weight: float32, float16, bfloat16, float64
  DType code = DType::kInt8;   ///< int8, uint8, int4, uint4, int2, uint2
  Blocks blocks;
  std::vector<float> scale;        ///< one for every block
  std::vector<std::int32_t> zero;  ///< one for every block; empty: 0
  Bytes codes;                     ///< one byte for every element, in the order of the weight's memory

  bool is_signed() const;
  std::int32_t zero_of(std::uint64_t block) const { return zero.empty() ? 0 : zero[block]; }
  /// Bits of codes, scales and zero points (these as wide as a code), over 8: what storage should come to.
  std::uint64_t counted_bytes() const;
};

/// Smallest and largest code of a type: int4 is [-8, 7].
std::int32_t lowest(DType code);
std::int32_t highest(DType code);
/// The unsigned or signed type of that many bits (2, 4, 8).
DType code_type(int bits, bool is_signed);

/// round(w / scale) + zero, clamped to [low, high]: the codes of a weight, computed while they are read.
struct Rounding {
  std::int32_t low = -127, high = 127;
};
Bytes encode(const Tensor& weight, const Blocks& blocks, const std::vector<float>& scale,
             const std::vector<std::int32_t>& zero, Rounding rounding);

/// The weight that the grid stands for, computed while it is read; float32 whatever grid.type is.
Tensor decode(const Grid& grid);

/// Codes packed `bits` to an element, the first in the lowest bits; `offset` is added before packing. The
/// last byte is filled up with zero bits.
Bytes pack(const Bytes& codes, int bits, std::int32_t offset = 0);
/// The reverse, for codes of that type that were packed without an offset: one byte an element.
Bytes unpack(const Bytes& packed, std::uint64_t elements, DType code);

template <class Run>
void Blocks::each_run(std::uint64_t first, std::uint64_t last, Run&& run) const {
  const std::uint64_t c1 = count(1), c2 = count(2);
  while (first < last) {
    const std::uint64_t i2 = first % dims[2];
    const std::uint64_t i1 = first / dims[2] % dims[1];
    const std::uint64_t i0 = first / (dims[2] * dims[1]);
    const std::uint64_t scale = ((i0 / block[0]) * c1 + i1 / block[1]) * c2 + i2 / block[2];
    const bool walks = block[2] == 1;
    const std::uint64_t room = walks ? dims[2] - i2 : std::min(block[2] - i2 % block[2], dims[2] - i2);
    const std::uint64_t length = std::min(room, last - first);
    run(first, length, scale, walks ? std::uint64_t{1} : std::uint64_t{0});
    first += length;
  }
}

}  // namespace compressor::codec

// mask: which elements of a weight become zero, and the weight with the mask applied while it is read.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>

#include "compressor/tensor/tensor.h"

namespace compressor::prune {

/// A pure function of position and value. Elements are packed as in the tensor, of 2, 4 or 8 bytes.
struct Mask {
  /// Zeroes some of the elements [first, first + count) of the weight.
  std::function<void(std::uint64_t first, std::span<std::byte> elements)> zero;
  /// Which range must be seen to decide about [first, last): it contains it, and ranges end within the
  /// weight. Null: the range itself.
  std::function<std::pair<std::uint64_t, std::uint64_t>(std::uint64_t first, std::uint64_t last)> whole;
};

/// The masked weight: same type, shape, field and notes; its bytes are derived from those of `weight`.
Tensor masked(const Tensor& weight, Mask mask);

/// Bytes [offset, offset + size) of `bytes`, from a buffer that each thread keeps, given to `visit`; a fresh
/// buffer of a few MB costs more than reading into it.
void with_bytes(const Bytes& bytes, std::uint64_t offset, std::uint64_t size,
                const std::function<void(std::span<std::byte>)>& visit);

/// Elements that are zero of either sign, counted in parallel.
std::uint64_t count_zeros(const Tensor& tensor);

}  // namespace compressor::prune

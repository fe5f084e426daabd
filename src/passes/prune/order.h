// order: the keys by which single weights are ranked, and the mask of those that a cut takes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "passes/prune/mask.h"
#include "passes/prune/smallest.h"

namespace compressor::prune {

/// Keys of packed elements, the first of them at position `first` of its weight.
template <class Key>
using KeysOf =
    std::function<void(std::uint64_t first, std::span<const std::byte> elements, std::span<Key> keys)>;

/// |x| as the bits of a float (Key std::uint32_t; float, float16, bfloat16) or of a double (std::uint64_t;
/// double too): ordered as the magnitudes are; NaN ranks above infinity.
template <class Key>
KeysOf<Key> by_magnitude(DType type);
/// A random number for each position; the elements do not matter.
template <class Key>
KeysOf<Key> by_chance(std::uint64_t seed);
/// A seed for the tensor of that name.
std::uint64_t seed_for(std::uint64_t seed, const std::string& name);

/// The keys of a weight.
template <class Key>
KeySource<Key> keys_of(const Tensor& weight, KeysOf<Key> order);
/// Zeroes the elements that the cut takes.
template <class Key>
Mask cut_mask(DType type, KeysOf<Key> order, Key threshold, std::uint64_t until);

}  // namespace compressor::prune

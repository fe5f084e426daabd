// smallest: exactly the k smallest keys of very long sequences, found by streaming over them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace compressor::prune {

/// A sequence of keys that can be read any number of times, from several threads.
template <class Key>
struct KeySource {
  std::uint64_t size = 0;
  std::function<void(std::uint64_t first, std::span<Key> keys)> read;
};

/// Chosen are all keys below `threshold`, and those equal to it at positions below until[source].
template <class Key>
struct Cut {
  Key threshold = 0;
  std::vector<std::uint64_t> until;
  std::vector<std::uint64_t> zeros;  ///< keys that are 0, of each source; empty when nothing was to be chosen
  bool takes(Key key, std::size_t source, std::uint64_t position) const {
    return key < threshold || (key == threshold && position < until[source]);
  }
};

/// The `count` smallest keys of all sources together; equal keys are taken in order of source and position.
/// Key: std::uint32_t or std::uint64_t. Mostly one parallel pass: a sample brackets the answer, and the keys
/// in the bracket are collected. Where many keys are equal: digit by digit of 16 bits, a pass for each.
/// Memory is a few MB. `small`: up to this many keys are simply sorted. A CHECK fails when there are fewer
/// than `count`.
template <class Key>
Cut<Key> smallest(std::span<const KeySource<Key>> sources, std::uint64_t count,
                  std::uint64_t small = 1U << 16U);

}  // namespace compressor::prune

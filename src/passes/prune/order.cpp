// order: magnitudes as integers. For numbers of one sign, IEEE bits are ordered as the numbers are.
#include "passes/prune/order.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "compressor/base/error.h"

namespace compressor::prune {
namespace {

constexpr std::size_t kBlock = 2048;  ///< keys held while masking

template <class Word>
Word load(const std::byte* at) {
  Word word;
  std::memcpy(&word, at, sizeof(Word));
  return word;
}

/// |x| of a half as the bits of a float: shift into place and scale by 2^112; infinity and NaN apart.
std::uint32_t half_magnitude(std::uint16_t half) {
  const std::uint32_t magnitude = half & 0x7FFFU;
  const float scaled = std::bit_cast<float>(magnitude << 13U) * 0x1.0p112F;
  return magnitude >= 0x7C00U ? 0x7F800000U | magnitude << 13U : std::bit_cast<std::uint32_t>(scaled);
}

struct FloatBits {
  using Word = std::uint32_t;
  static std::uint32_t narrow(Word w) { return w & 0x7FFFFFFFU; }
};
struct HalfBits {
  using Word = std::uint16_t;
  static std::uint32_t narrow(Word w) { return half_magnitude(w); }
};
struct BFloat16Bits {
  using Word = std::uint16_t;
  static std::uint32_t narrow(Word w) { return (w & 0x7FFFU) << 16U; }
};

template <class Bits, class Key>
void magnitudes(std::uint64_t, std::span<const std::byte> elements, std::span<Key> keys) {
  using Word = typename Bits::Word;
  const std::byte* at = elements.data();
  Key* out = keys.data();
  const std::size_t n = keys.size();
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t narrow = Bits::narrow(load<Word>(at + i * sizeof(Word)));
    if constexpr (sizeof(Key) == 4) {
      out[i] = narrow;
    } else {
      out[i] = std::bit_cast<std::uint64_t>(static_cast<double>(std::bit_cast<float>(narrow)));
    }
  }
}

void double_magnitudes(std::uint64_t, std::span<const std::byte> elements, std::span<std::uint64_t> keys) {
  for (std::size_t i = 0; i < keys.size(); ++i)
    keys[i] = load<std::uint64_t>(elements.data() + i * 8) & (UINT64_MAX >> 1U);
}

std::uint64_t scramble(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

/// Zeroes the elements whose key is below `limit`.
template <class Word, class Key>
void zero_below(std::span<std::byte> elements, std::span<const Key> keys, Key limit) {
  std::byte* at = elements.data();
  const Key* key = keys.data();
  const std::size_t n = keys.size();
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) {
    Word word = load<Word>(at + i * sizeof(Word));
    word = key[i] < limit ? Word{0} : word;
    std::memcpy(at + i * sizeof(Word), &word, sizeof(Word));
  }
}

}  // namespace

template <class Key>
KeysOf<Key> by_magnitude(DType type) {
  switch (type) {
    case DType::kFloat:
      return magnitudes<FloatBits, Key>;
    case DType::kFloat16:
      return magnitudes<HalfBits, Key>;
    case DType::kBFloat16:
      return magnitudes<BFloat16Bits, Key>;
    default:
      if constexpr (sizeof(Key) == 8) {
        if (type == DType::kDouble) return double_magnitudes;
      }
      CHECK(false, "magnitudes of {}", name(type));
      return {};
  }
}

template <class Key>
KeysOf<Key> by_chance(std::uint64_t seed) {
  return [seed](std::uint64_t first, std::span<const std::byte>, std::span<Key> keys) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      keys[i] = static_cast<Key>(scramble(seed + (first + i + 1) * 0x9E3779B97F4A7C15ULL) >> 33U);
    }
  };
}

std::uint64_t seed_for(std::uint64_t seed, const std::string& name) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return scramble(hash + scramble(seed + 0x9E3779B97F4A7C15ULL));
}

template <class Key>
KeySource<Key> keys_of(const Tensor& weight, KeysOf<Key> order) {
  const auto width = static_cast<std::uint64_t>(bits(weight.dtype)) / 8;
  return {.size = weight.size(),
          .read = [bytes = weight.bytes, width, order = std::move(order)](std::uint64_t first,
                                                                          std::span<Key> keys) {
            with_bytes(bytes, first * width, keys.size() * width,
                       [&](std::span<std::byte> elements) { order(first, elements, keys); });
          }};
}

template <class Key>
Mask cut_mask(DType type, KeysOf<Key> order, Key threshold, std::uint64_t until) {
  const auto width = static_cast<std::size_t>(bits(type)) / 8;
  Mask mask;
  mask.zero = [=, order = std::move(order)](std::uint64_t first, std::span<std::byte> elements) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled below, too large to clear
    std::array<Key, kBlock> keys;
    const std::uint64_t last = first + elements.size() / width;
    while (first < last) {
      // Ties are zeroed up to `until`: a block lies on one side of it.
      const std::uint64_t end = first < until ? std::min(last, until) : last;
      const std::size_t n = std::min<std::uint64_t>(kBlock, end - first);
      const std::span<std::byte> part = elements.first(n * width);
      const std::span<Key> some = std::span(keys).first(n);
      const Key limit = first < until ? threshold + 1 : threshold;
      order(first, part, some);
      if (width == 2) zero_below<std::uint16_t, Key>(part, some, limit);
      if (width == 4) zero_below<std::uint32_t, Key>(part, some, limit);
      if (width == 8) zero_below<std::uint64_t, Key>(part, some, limit);
      first += n;
      elements = elements.subspan(n * width);
    }
  };
  return mask;
}

template KeysOf<std::uint32_t> by_magnitude(DType);
template KeysOf<std::uint64_t> by_magnitude(DType);
template KeysOf<std::uint32_t> by_chance(std::uint64_t);
template KeysOf<std::uint64_t> by_chance(std::uint64_t);
template KeySource<std::uint32_t> keys_of(const Tensor&, KeysOf<std::uint32_t>);
template KeySource<std::uint64_t> keys_of(const Tensor&, KeysOf<std::uint64_t>);
template Mask cut_mask(DType, KeysOf<std::uint32_t>, std::uint32_t, std::uint64_t);
template Mask cut_mask(DType, KeysOf<std::uint64_t>, std::uint64_t, std::uint64_t);

}  // namespace compressor::prune

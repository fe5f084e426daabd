// pair_safe: one walk over neighbours lowers codes, another shares out the room between them.
#include "passes/quantize/integer/pair_safe.h"

#include <algorithm>
#include <cstdlib>

namespace compressor::quantize {
namespace {

constexpr std::int32_t kPair = 128;  ///< 255 * 128 = 32640 <= 2^15 - 1

template <class Visit>
void each_pair(std::size_t count, std::size_t positions, Visit visit) {
  const std::size_t inputs = count / positions;
  const auto nth = [&](std::size_t n) { return n % inputs * positions + n / inputs; };
  for (std::size_t n = 0; n + 1 < count; n += inputs % 2 == 0 ? 2 : 1) visit(nth(n), nth(n + 1));
}

}  // namespace

bool make_pair_safe(std::span<std::int32_t> codes, std::size_t positions) {
  bool moved = false;
  each_pair(codes.size(), positions, [&](std::size_t i, std::size_t j) {
    std::int32_t &a = codes[i], &b = codes[j];
    const std::int32_t excess = std::abs(a) + std::abs(b) - kPair;
    if (excess <= 0 || (a > 0) != (b > 0)) return;
    const std::int32_t sign = a > 0 ? 1 : -1;
    // Half of it each: the larger one first, and none past zero.
    std::int32_t& larger = std::abs(a) >= std::abs(b) ? a : b;
    std::int32_t& smaller = &larger == &a ? b : a;
    const std::int32_t less = std::min(excess / 2, std::abs(smaller));
    smaller -= sign * less;
    larger -= sign * (excess - less);
    moved = true;
  });
  return moved;
}

RowCodes pair_safe_ranges(std::span<const std::int32_t> codes, std::size_t positions) {
  constexpr std::int32_t kLargest = 127;
  RowCodes ranges{.range = {-kLargest, kLargest}};
  ranges.lows.assign(codes.size(), -kLargest);
  ranges.highs.assign(codes.size(), kLargest);
  const auto up = [&](std::size_t i) { return std::max(codes[i], 0); };
  const auto down = [&](std::size_t i) { return std::max(-codes[i], 0); };
  each_pair(codes.size(), positions, [&](std::size_t i, std::size_t j) {
    const std::int32_t above = (kPair - up(i) - up(j)) / 2, below = (kPair - down(i) - down(j)) / 2;
    for (const std::size_t n : {i, j}) {
      ranges.highs[n] = static_cast<std::int8_t>(std::min<std::int32_t>(ranges.highs[n], up(n) + above));
      ranges.lows[n] = static_cast<std::int8_t>(std::max<std::int32_t>(ranges.lows[n], -down(n) - below));
    }
  });
  return ranges;
}

}  // namespace compressor::quantize

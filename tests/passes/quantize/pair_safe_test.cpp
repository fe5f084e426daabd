// pair_safe_test: codes of which no two that meet leave 16 bits, and how little they lose by it.
#include "passes/quantize/integer/pair_safe.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "compressor/base/random.h"
#include "passes/quantize/pairs.h"

namespace compressor::quantize {
namespace {

constexpr std::uint64_t kSeed = 21;

std::vector<std::int32_t> random_codes(Random& random, std::size_t count) {
  std::vector<std::int32_t> codes(count);
  for (std::int32_t& q : codes) q = static_cast<std::int32_t>(random.below(255)) - 127;
  return codes;
}

TEST(PairSafe, NoTwoProductsLeave16Bits) {
  Random random(kSeed);
  for (int round = 0; round < 500; ++round) {
    const std::size_t positions = 1 + random.below(9);
    std::vector<std::int32_t> codes = random_codes(random, positions * (1 + random.below(12)));
    const std::vector<std::int32_t> before = codes;
    const bool unsafe = largest_pair(codes, positions) > 128;
    EXPECT_EQ(make_pair_safe(codes, positions), unsafe) << "seed " << kSeed << ", round " << round;
    EXPECT_LE(255 * largest_pair(codes, positions), 32767);
    for (std::size_t i = 0; i < codes.size(); ++i) {
      EXPECT_LE(std::abs(codes[i]), std::abs(before[i]));
      EXPECT_GE(codes[i] * before[i], 0);
    }
    EXPECT_FALSE(make_pair_safe(codes, positions));
  }
}

TEST(PairSafe, TheExcessIsSharedByWhatMeets) {
  std::vector<std::int32_t> codes = {127, 11, 120, -120, -8, 1, 100, 100};
  EXPECT_TRUE(make_pair_safe(codes, 1));
  EXPECT_EQ(codes, (std::vector<std::int32_t>{122, 6, 120, -120, -8, 1, 64, 64}));
  codes = {100, 0, 100, 0};  // two inputs, two positions: 100 and 100 meet at position 0
  EXPECT_TRUE(make_pair_safe(codes, 2));
  EXPECT_EQ(codes, (std::vector<std::int32_t>{64, 0, 64, 0}));
  codes = {0, 100, 100, 0};  // last of one pair, first of the next
  EXPECT_FALSE(make_pair_safe(codes, 1));
  codes = {0, 100, 100};  // of three inputs any two
  EXPECT_TRUE(make_pair_safe(codes, 1));
}

TEST(PairSafe, AnyChoiceWithinTheRangesIsSafe) {
  Random random(kSeed + 1);
  for (int round = 0; round < 200; ++round) {
    const std::size_t positions = 1 + random.below(4);
    std::vector<std::int32_t> codes = random_codes(random, positions * (1 + random.below(12)));
    make_pair_safe(codes, positions);
    const RowCodes ranges = pair_safe_ranges(codes, positions);
    std::vector<std::int32_t> high, low;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      EXPECT_LE(codes[i], ranges.high(i)) << "seed " << kSeed + 1 << ", round " << round;
      EXPECT_GE(codes[i], ranges.low(i));
      high.push_back(ranges.high(i));
      low.push_back(ranges.low(i));
    }
    EXPECT_LE(largest_pair(high, positions), 128);
    EXPECT_LE(largest_pair(low, positions), 128);
  }
}

}  // namespace
}  // namespace compressor::quantize

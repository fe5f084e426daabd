// pair_safe_test: scales at which no two products of a channel leave 16 bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compressor/base/random.h"
#include "passes/quantize/integer/static_qdq.h"

namespace compressor::quantize {
namespace {

TEST(PairSafe, NoTwoProductsOfAChannelLeave16Bits) {
  Random random(21);
  for (int round = 0; round < 2000; ++round) {
    std::vector<float> w(2 + random.below(30));
    for (float& v : w) v = static_cast<float>(random.normal() * std::exp(random.normal()));
    const float scale = pair_safe_scale(w);
    std::vector<long> up, down;
    for (const float v : w) {
      const long q = std::lround(v / scale);
      ASSERT_LE(std::abs(q), 127) << "seed 21, round " << round;
      (q > 0 ? up : down).push_back(std::abs(q));
    }
    for (auto* side : {&up, &down}) {
      std::sort(side->rbegin(), side->rend());
      const long pair = side->size() > 1 ? (*side)[0] + (*side)[1] : 0;
      ASSERT_LE(255 * pair, 32767) << "seed 21, round " << round;
    }
  }
}

TEST(PairSafe, OneLargeWeightKeepsAllCodes) {
  const std::vector<float> w = {1, 0.001F, -0.5F};
  EXPECT_FLOAT_EQ(pair_safe_scale(w), 1.0F / 127);
  const std::vector<float> alike = {1, 1};
  EXPECT_NEAR(pair_safe_scale(alike), 1.0F / 64, 1e-4);
  const std::vector<float> nothing = {0, 0};
  EXPECT_EQ(pair_safe_scale(nothing), 1);
}

}  // namespace
}  // namespace compressor::quantize

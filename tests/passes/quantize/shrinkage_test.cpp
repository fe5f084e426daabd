// shrinkage_test: the diagonal stays, the rest counts by how many columns were seen.
#include "passes/quantize/rounding/shrinkage.h"

#include <gtest/gtest.h>

namespace compressor::quantize {
namespace {

TEST(Shrinkage, TheRestOfEveryGroupCountsByItsColumns) {
  SecondMoment m{.k = 2, .groups = 2, .columns = 3, .sums = {4, 2, 2, 8, 1, -4, -4, 16}};
  shrink_moment(m);
  EXPECT_EQ(m.sums, (std::vector<float>{4, 1.5F, 1.5F, 8, 1, -3, -3, 16}));
}

TEST(Shrinkage, EnoughColumnsAreTakenAsTheyAre) {
  SecondMoment m{.k = 2, .groups = 1, .columns = 4, .sums = {4, 2, 2, 8}};
  shrink_moment(m);
  EXPECT_EQ(m.sums, (std::vector<float>{4, 2, 2, 8}));
}

}  // namespace
}  // namespace compressor::quantize

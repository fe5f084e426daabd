// sym_dim_test: products, quotients and sums of monomials.
#include "compressor/ops/sym_dim.h"

#include <gtest/gtest.h>

namespace compressor {
namespace {

const SymDim kBatch = SymDim::symbol("batch");
const SymDim kTime = SymDim::symbol("time");

TEST(SymDim, ProductsCommute) {
  EXPECT_EQ(kBatch * kTime * SymDim(4), SymDim(4) * kTime * kBatch);
  EXPECT_EQ((SymDim(4) * kBatch * kTime).to_string(), "4*batch*time");
  EXPECT_EQ(SymDim(0) * SymDim(), SymDim(0)) << "nothing of anything is nothing";
}

TEST(SymDim, QuotientsAreExactOrUnknown) {
  const SymDim all = SymDim(12) * kBatch * kTime * kTime;
  EXPECT_EQ(all.divided_by(SymDim(4) * kTime), SymDim(3) * kBatch * kTime);
  EXPECT_TRUE(all.divided_by(SymDim(5)).is_unknown());
  EXPECT_TRUE(kBatch.divided_by(kTime).is_unknown());
  EXPECT_TRUE(kBatch.divided_by(SymDim(0)).is_unknown());
  EXPECT_TRUE(SymDim(INT64_MIN).divided_by(SymDim(-1)).is_unknown());
}

TEST(SymDim, SumsOfLikeMonomialsOnly) {
  EXPECT_EQ(kBatch + kBatch, SymDim(2) * kBatch);
  EXPECT_EQ(SymDim(3) * kBatch - SymDim(3) * kBatch, SymDim(0));
  EXPECT_TRUE((kBatch + kTime).is_unknown());
  EXPECT_TRUE((kBatch + SymDim(1)).is_unknown());
  EXPECT_EQ(kBatch + SymDim(0), kBatch);
}

TEST(SymDim, OverflowIsUnknown) {
  EXPECT_TRUE((SymDim(INT64_MAX) * SymDim(2)).is_unknown());
  EXPECT_TRUE((SymDim(INT64_MAX) + SymDim(1)).is_unknown());
}

TEST(SymDim, TwoUnknownsAreNotTheSame) {
  EXPECT_FALSE(SymDim() == SymDim());
}

}  // namespace
}  // namespace compressor

// align_test: which axes of a reshaped tensor are which.
#include "ops/align.h"

#include <gtest/gtest.h>

namespace compressor::ops {
namespace {

const SymDim kN = SymDim::symbol("N");
const SymDim kH = SymDim::symbol("H");

/// "0-0:N 1-1:2 1-2:3": old axis, new axis, length; "0..2/0..1 ?" for a group without common factors.
std::string text(const SymDims& old_dims, const SymDims& new_dims) {
  std::string out;
  for (const AxisGroup& g : align_axes(old_dims, new_dims)) {
    if (!g.pieces) {
      out += fmt::format("{}..{}/{}..{} ? ", g.old_from, g.old_to, g.new_from, g.new_to);
      continue;
    }
    for (const AxisPiece& p : *g.pieces)
      out += fmt::format("{}-{}:{} ", p.old_axis, p.new_axis, p.length.to_string());
  }
  return out.empty() ? out : out.substr(0, out.size() - 1);
}

TEST(Align, AxesThatStayAreMatched) {
  EXPECT_EQ(text({kN, 64, kH}, {kN, 64, kH}), "0-0:N 1-1:64 2-2:H");
  EXPECT_EQ(text({1, 64, 1, 1}, {64}), "1-0:64");
  EXPECT_EQ(text({kN, 64}, {kN, 1, 64, 1}), "0-0:N 1-2:64");
}

TEST(Align, SplitsAndMerges) {
  EXPECT_EQ(text({kN, 6, 4}, {kN, 2, 3, 4}), "0-0:N 1-1:2 1-2:3 2-3:4");
  EXPECT_EQ(text({kN, 64, 7, 7}, {kN, 3136}), "0-0:N 1-1:64 2-1:7 3-1:7");
  EXPECT_EQ(text({8, 6}, {4, 12}), "0-0:4 0-1:2 1-1:6");
}

TEST(Align, ChannelShuffle) {
  EXPECT_EQ(text({kN, 12, kH, kH}, {kN, 3, 4, kH, kH}), "0-0:N 1-1:3 1-2:4 2-3:H 3-4:H");
  EXPECT_EQ(text({kN, 4, 3, kH, kH}, {kN, 12, kH, kH}), "0-0:N 1-1:4 2-1:3 3-2:H 4-3:H");
}

TEST(Align, SymbolsFoldIntoOneAxis) {
  EXPECT_EQ(text({kN, kH, 64}, {kN * kH, 64}), "0-0:N 1-0:H 2-1:64");
  EXPECT_EQ(text({kN * kH, 64}, {kN, kH, 8, 8}), "0-0:N 0-1:H 1-2:8 1-3:8");
  EXPECT_EQ(text({kN, 64}, {SymDim(4) * kN, 16}), "0-0:N 1-0:4 1-1:16");
}

TEST(Align, UnknownAxesDoNotHideTheOthers) {
  EXPECT_EQ(text({kN, SymDim(), 64}, {kN, SymDim(), 8, 8}), "0-0:N 1..2/1..2 ? 2-2:8 2-3:8");
}

TEST(Align, NoCommonFactors) {
  EXPECT_EQ(text({kN, 5, 7}, {kN, 7, 5}), "0-0:N 1..3/1..3 ?");
}

}  // namespace
}  // namespace compressor::ops

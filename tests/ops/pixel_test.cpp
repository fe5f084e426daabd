// pixel_test: channels through DepthToSpace, SpaceToDepth and Resize.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/small_net.h"

namespace compressor::ops {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SmallNet pixel_shuffle(const std::string& mode) {
  SmallNet net;
  const Value* x = net.node("Conv", "conv", {net.input("x", {1, 3, 4, 4}), net.weight("w", {12, 3, 1, 1})});
  x = net.node("DepthToSpace", "y", {x}, {{"blocksize", std::int64_t{2}}, {"mode", mode}});
  net.node("Conv", "last", {x, net.weight("w2", {5, 3, 1, 1})});
  net.run_rules();
  return net;
}

TEST(DepthToSpace, AChannelIsItsPixelsInEitherOrder) {
  SmallNet dcr = pixel_shuffle("DCR");
  EXPECT_EQ(dcr.dims("y"), "1x3x8x8");
  dcr.remove("w2", 1, 1);
  EXPECT_THAT(dcr.gone("w", 0), ElementsAre(1, 4, 7, 10));
  SmallNet crd = pixel_shuffle("CRD");
  crd.remove("w2", 1, 1);
  EXPECT_THAT(crd.gone("w", 0), ElementsAre(4, 5, 6, 7));
  EXPECT_FALSE(crd.frozen("w2", 1, 1));
  EXPECT_TRUE(crd.frozen("w", 0, 0)) << "the pixels of a block stay";
}

TEST(SpaceToDepth, RepeatsAChannel) {
  SmallNet net;
  const Value* x = net.node("Conv", "conv", {net.input("x", {1, 3, 4, 4}), net.weight("w", {3, 3, 1, 1})});
  x = net.node("SpaceToDepth", "y", {x}, {{"blocksize", std::int64_t{2}}});
  net.node("Conv", "last", {x, net.weight("w2", {5, 12, 1, 1})});
  net.run_rules();
  net.remove("w", 0, 2);
  EXPECT_THAT(net.gone("w2", 1), ElementsAre(2, 5, 8, 11));
}

TEST(Resize, CutsItsSizes) {
  SmallNet net;
  const Value* x = net.node("Conv", "conv", {net.input("x", {1, 3, 4, 4}), net.weight("w", {6, 3, 1, 1})});
  net.node("Resize", "y", {x, nullptr, nullptr, net.ints("sizes", {1, 6, 9, 8})});
  net.run_rules();
  EXPECT_EQ(net.dims("y"), "1x6x9x8");
  net.remove("w", 0, 2);
  EXPECT_THAT(net.gone("y", 1), ElementsAre(2));
  net.shrink("y");
  EXPECT_THAT(to_ints(*constant_of(*net.node_of("y").input(3))), ElementsAre(1, 5, 9, 8));
}

TEST(Resize, FreezesAnAxisThatItChanges) {
  SmallNet net;
  const Value* x = net.node("MatMul", "m", {net.input("x", {1, 4, 3}), net.weight("w", {3, 6})});
  x = net.node("Resize", "y", {x, nullptr, nullptr, net.ints("sizes", {1, 4, 12})});
  net.run_rules();
  EXPECT_TRUE(net.frozen("w", 1));
  EXPECT_THAT(net.gone("y", 2), IsEmpty());
}

TEST(Resize, ReadsScalesAxesAndAspect) {
  const auto dims = [](Settings attributes, const std::vector<std::int64_t>& sizes) {
    SmallNet net(18);
    net.node("Resize", "y",
             {net.input("x", {SymDim::symbol("N"), 2, 10, 20}), nullptr, nullptr, net.ints("sizes", sizes)},
             std::move(attributes));
    return net.problem().empty() ? net.dims("y") : net.problem();
  };
  const std::vector<std::int64_t> axes{2, 3};
  EXPECT_EQ(dims({{"axes", axes}}, {5, 7}), "Nx2x5x7");
  EXPECT_EQ(dims({{"axes", axes}, {"keep_aspect_ratio_policy", std::string("not_larger")}}, {5, 7}),
            "Nx2x4x7");
  EXPECT_EQ(dims({{"axes", axes}, {"keep_aspect_ratio_policy", std::string("not_smaller")}}, {5, 7}),
            "Nx2x5x10");
  EXPECT_THAT(dims({{"axes", axes}}, {5, 7, 8}), HasSubstr("found 3 sizes, expected 2"));
}

}  // namespace
}  // namespace compressor::ops

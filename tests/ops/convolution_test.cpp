// convolution_test: shapes, cost and channels of convolutions and pools.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/small_net.h"

namespace compressor::ops {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Ints = std::vector<std::int64_t>;

// x -> Conv(first) -> Conv(second, group) -> Conv(third)
SmallNet chain(std::int64_t group, std::int64_t in, std::int64_t out) {
  SmallNet net;
  const Value* x = net.input("x", {1, 3, 8, 8});
  x = net.node("Conv", "first", {x, net.weight("w1", {in, 3, 1, 1}), net.weight("b1", {in})});
  x = net.node("Conv", "second", {x, net.weight("w2", {out, in / group, 3, 3}), net.weight("b2", {out})},
               {{"group", group}});
  net.node("Conv", "third", {x, net.weight("w3", {5, out, 1, 1})});
  net.run_rules();
  return net;
}

TEST(Conv, JoinsFiltersWithTheirReaders) {
  SmallNet net = chain(1, 4, 6);
  net.remove("w1", 0, 2);
  EXPECT_THAT(net.gone("b1", 0), ElementsAre(2));
  EXPECT_THAT(net.gone("first", 1), ElementsAre(2));
  EXPECT_THAT(net.gone("w2", 1), ElementsAre(2));
  EXPECT_THAT(net.gone("w2", 0), IsEmpty());
  EXPECT_EQ(net.roles("w1", 0), static_cast<unsigned>(AxisRole::kProducer));
  EXPECT_EQ(net.roles("w2", 1), static_cast<unsigned>(AxisRole::kConsumer));
  EXPECT_EQ(net.roles("b1", 0), static_cast<unsigned>(AxisRole::kShift));
}

TEST(Conv, AGroupGoesWhole) {
  SmallNet net = chain(2, 4, 6);
  net.remove("w1", 0, 0, 0);
  EXPECT_THAT(net.gone("w1", 0), ElementsAre(0, 1));
  EXPECT_THAT(net.gone("w2", 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(net.gone("w2", 1), IsEmpty());
  EXPECT_THAT(net.gone("b2", 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(net.gone("w3", 1), ElementsAre(0, 1, 2));
  net.shrink("second");
  EXPECT_EQ(net.node_of("second").int_or("group", 0), 1);
}

TEST(Conv, GroupsGetThinner) {
  SmallNet net = chain(2, 4, 6);
  net.remove("w1", 0, 0, 1);
  EXPECT_THAT(net.gone("w1", 0), ElementsAre(0, 2));
  EXPECT_THAT(net.gone("w2", 1), ElementsAre(0));
  EXPECT_THAT(net.gone("w2", 0), IsEmpty());
  net.remove("w2", 0, 1, 1);
  EXPECT_THAT(net.gone("w2", 0), ElementsAre(1, 4));
  EXPECT_THAT(net.gone("w3", 1), ElementsAre(1, 4));
  net.shrink("second");
  EXPECT_EQ(net.node_of("second").int_or("group", 0), 2);
}

TEST(Conv, DepthwiseTiesInputsToOutputs) {
  SmallNet net = chain(4, 4, 8);  // two filters a channel
  net.remove("w1", 0, 3);
  EXPECT_THAT(net.gone("w2", 0), ElementsAre(6, 7));
  EXPECT_THAT(net.gone("w3", 1), ElementsAre(6, 7));
  net.shrink("second");
  EXPECT_EQ(net.node_of("second").int_or("group", 0), 3);
}

TEST(Conv, ACutOfFiltersAloneKeepsDepthwiseGroups) {
  SmallNet net = chain(4, 4, 8);
  net.remove("w2", 0, 0, 1);  // the first of the two filters of every channel
  EXPECT_THAT(net.gone("w2", 0), ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(net.gone("w1", 0), IsEmpty());
  net.shrink("second");
  EXPECT_EQ(net.node_of("second").int_or("group", 0), 4);
}

TEST(Conv, AChannelThatBecamePixelsIsFrozenByAWindow) {
  for (const std::int64_t kernel : {1, 3}) {
    SmallNet net;
    const Value* x = net.input("x", {1, 4});
    x = net.node("Gemm", "gemm", {x, net.weight("w", {4, 6})});
    x = net.node("Unsqueeze", "line", {x, net.ints("axes", {1})});  // [1, 1, 6]
    net.node("Conv", "conv", {x, net.weight("k", {2, 1, kernel})}, {{"pads", Ints{kernel / 2, kernel / 2}}});
    net.run_rules();
    EXPECT_EQ(net.frozen("w", 1), kernel == 3);
    EXPECT_EQ(net.places("conv", 2).empty(), kernel == 3);
  }
}

TEST(Conv, SaysWhatDoesNotFit) {
  SmallNet net;
  net.node("Conv", "conv", {net.input("x", {1, 3, 8, 8}), net.weight("w", {4, 2, 3, 3})});
  EXPECT_THAT(net.problem(), HasSubstr("input has 3 channels, expected 2 (1 groups of 2)"));
  SmallNet small;
  small.node("Conv", "conv", {small.input("x", {1, 2, 2, 8}), small.weight("w", {4, 2, 3, 3})});
  EXPECT_THAT(small.problem(), HasSubstr("kernel reaches over 3 positions of axis 2, but the input has 2"));
  SmallNet flat;
  flat.node("Conv", "conv", {flat.input("x", {1, 2}), flat.weight("w", {4, 2, 3, 3})});
  EXPECT_THAT(flat.problem(), HasSubstr("input has rank 2, expected at least 3"));
}

TEST(Conv, KeepsSymbolsWhereItCan) {
  const auto dims = [](SymDim height, Settings attributes) {
    SmallNet net;
    net.node("Conv", "y",
             {net.input("x", {SymDim::symbol("N"), 2, height, 7}), net.weight("w", {4, 2, 3, 3})},
             std::move(attributes));
    return net.dims("y");
  };
  const SymDim h = SymDim::symbol("H");
  EXPECT_EQ(dims(h, {{"pads", Ints{1, 1, 1, 1}}}), "Nx4xHx7");
  EXPECT_EQ(dims(h, {{"auto_pad", std::string("SAME_UPPER")}}), "Nx4xHx7");
  EXPECT_EQ(dims(h, {}), "Nx4x~y.2x5");
  EXPECT_EQ(dims(9, {{"strides", Ints{2, 2}}, {"auto_pad", std::string("SAME_LOWER")}}), "Nx4x5x4");
  EXPECT_EQ(dims(9, {{"dilations", Ints{2, 2}}}), "Nx4x5x3");
}

TEST(Conv, CostsAsTheSurveySays) {
  SmallNet net;
  net.node("Conv", "y", {net.input("x", {2, 8, 10, 10}), net.weight("w", {6, 4, 3, 3})},
           {{"group", std::int64_t{2}}, {"pads", Ints{1, 1, 1, 1}}});
  const Cost cost = net.cost("y");
  EXPECT_EQ(cost.macs, 2.0 * 100 * 4 * 9 * 6);
  EXPECT_EQ(cost.flops, 2.0 * 2 * 100 * (4 * 9 + 1) * 6);
}

TEST(ConvTranspose, JoinsByItsOwnOrderOfAxes) {
  SmallNet net;
  const Value* x = net.input("x", {1, 3, 4, 4});
  x = net.node("Conv", "first", {x, net.weight("w1", {4, 3, 1, 1})});
  x = net.node("ConvTranspose", "up", {x, net.weight("w2", {4, 3, 2, 2}), net.weight("b2", {6})},
               {{"group", std::int64_t{2}}, {"strides", Ints{2, 2}}});
  net.node("Conv", "last", {x, net.weight("w3", {5, 6, 1, 1})});
  net.run_rules();
  EXPECT_EQ(net.dims("up"), "1x6x8x8");
  net.remove("w3", 1, 1, 1);  // the second filter of every group
  EXPECT_THAT(net.gone("b2", 0), ElementsAre(1, 4));
  EXPECT_THAT(net.gone("w2", 1), ElementsAre(1));
  net.shrink("up");
  EXPECT_EQ(net.node_of("up").int_or("group", 0), 2);
  net.remove("w1", 0, 2, 0);  // the second group
  EXPECT_THAT(net.gone("w1", 0), ElementsAre(2, 3));
  EXPECT_THAT(net.gone("w2", 0), ElementsAre(2, 3));
  EXPECT_THAT(net.gone("w3", 1), ElementsAre(1, 3, 4, 5));
  net.shrink("up");
  EXPECT_EQ(net.node_of("up").int_or("group", 0), 1);
  EXPECT_EQ(net.roles("w2", 0), static_cast<unsigned>(AxisRole::kConsumer));
  EXPECT_EQ(net.roles("w2", 1), static_cast<unsigned>(AxisRole::kProducer));
}

TEST(Pool, CeilModeLeavesOutWindowsThatStartInThePadding) {
  const auto dims = [](std::int64_t length, std::int64_t pad) {
    SmallNet net;
    net.node("MaxPool", "y", {net.input("x", {1, 2, length})},
             {{"kernel_shape", Ints{2}},
              {"strides", Ints{2}},
              {"pads", Ints{pad, pad}},
              {"ceil_mode", std::int64_t{1}}});
    return net.dims("y");
  };
  EXPECT_EQ(dims(5, 0), "1x2x3");
  EXPECT_EQ(dims(4, 1), "1x2x3");
  EXPECT_EQ(dims(5, 1), "1x2x3");  // a fourth window would see padding alone
}

TEST(Pool, IndicesThatCountOverChannelsFreezeThem) {
  for (const bool unpools : {true, false}) {
    SmallNet net;
    const Value* x = net.node("Conv", "conv", {net.input("x", {1, 3, 8, 8}), net.weight("w", {4, 3, 1, 1})});
    x = net.node("MaxPool", "pool", {x}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}, 2);
    if (unpools) {
      net.node("MaxUnpool", "back", {x, net.value("pool_1")},
               {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
    } else {
      net.node("Relu", "other", {net.value("pool_1")});
    }
    net.run_rules();
    EXPECT_EQ(net.frozen("w", 0), !unpools);
    EXPECT_TRUE(!unpools || net.places("back", 1) == net.places("w", 0));
  }
}

TEST(Pool, AMeanOverATrackedAxisIsInexact) {
  SmallNet net;
  const Value* x = net.node("Gemm", "gemm", {net.input("x", {2, 4}), net.weight("w", {4, 6})});
  x = net.node("Unsqueeze", "line", {x, net.ints("axes", {1})});
  net.node("GlobalAveragePool", "mean", {x});
  net.run_rules();
  EXPECT_TRUE(net.approximate("w", 1));
  EXPECT_FALSE(net.frozen("w", 1));
}

}  // namespace
}  // namespace compressor::ops

// norm_test: which axes norms make inexact, what their parameters join, and what a batch norm computes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ops/small_net.h"

namespace compressor::ops {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

auto Near(float expected) {
  return testing::FloatNear(expected, 1e-6F);
}

TEST(BatchNormalization, IsExactOverChannels) {
  SmallNet net;
  const Value* x = net.node("Conv", "conv", {net.input("x", {1, 3, 8, 8}), net.weight("w", {4, 3, 1, 1})});
  net.node("BatchNormalization", "bn",
           {x, net.weight("s", {4}), net.weight("b", {4}), net.weight("m", {4}), net.weight("v", {4})});
  net.run_rules();
  net.remove("w", 0, 1);
  for (const char* name : {"s", "b", "m", "v"}) EXPECT_THAT(net.gone(name, 0), ElementsAre(1)) << name;
  EXPECT_THAT(net.gone("bn", 1), ElementsAre(1));
  EXPECT_FALSE(net.approximate("w", 0, 1));
  EXPECT_EQ(net.roles("s", 0), static_cast<unsigned>(AxisRole::kScale));
  EXPECT_EQ(net.roles("v", 0), static_cast<unsigned>(AxisRole::kStatistic));
}

// Exports of weight-standardised convolutions normalise a constant weight so.
TEST(BatchNormalization, TrainingModeComputesItsStatistics) {
  SmallNet net;
  const Value* w = net.ints("numbers", {1, 2, 3, 6});
  w = net.node("Cast", "floats", {w}, {{"to", std::int64_t{1}}});
  w = net.node("Reshape", "rows", {w, net.ints("shape", {1, 2, 2})});
  net.node("BatchNormalization", "bn",
           {w, net.weight("s", {2}), net.weight("b", {2}), net.weight("m", {2}), net.weight("v", {2})},
           {{"training_mode", std::int64_t{1}}, {"epsilon", 0.25F}}, 3);
  net.infer();
  ASSERT_NE(net.facts("bn").constant, nullptr);
  // Rows (1, 2) and (3, 6): means 1.5 and 4.5, variances 0.25 and 2.25; scale and bias are 0.5.
  const float a = 0.5F * 0.5F / std::sqrt(0.5F);
  const float b = 0.5F * 1.5F / std::sqrt(2.5F);
  EXPECT_THAT(to_floats(*net.facts("bn").constant),
              ElementsAre(Near(0.5F - a), Near(0.5F + a), Near(0.5F - b), Near(0.5F + b)));
  // momentum 0.9 of the running 0.5
  EXPECT_THAT(to_floats(*net.facts("bn_1").constant), ElementsAre(Near(0.6F), Near(0.9F)));
}

SmallNet group_norm(std::int64_t opset) {
  SmallNet net(opset);
  const Value* x = net.node("Conv", "conv", {net.input("x", {1, 3, 8, 8}), net.weight("w", {6, 3, 1, 1})});
  const std::int64_t n = opset < 21 ? 2 : 6;
  net.node("GroupNormalization", "gn", {x, net.weight("s", {n}), net.weight("b", {n})},
           {{"num_groups", std::int64_t{2}}});
  net.run_rules();
  return net;
}

TEST(GroupNormalization, GroupsAreExactAndTheirChannelsNot) {
  SmallNet net = group_norm(21);
  net.remove("w", 0, 3, 0);
  EXPECT_THAT(net.gone("w", 0), ElementsAre(3, 4, 5));
  EXPECT_THAT(net.gone("s", 0), ElementsAre(3, 4, 5));
  net.shrink("gn");
  EXPECT_EQ(net.node_of("gn").int_or("num_groups", 0), 1);
  EXPECT_TRUE(net.approximate("w", 0));

  SmallNet thin = group_norm(21);
  thin.remove("w", 0, 3, 1);
  EXPECT_THAT(thin.gone("w", 0), ElementsAre(0, 3));
  EXPECT_THAT(thin.gone("b", 0), ElementsAre(0, 3));
  thin.shrink("gn");
  EXPECT_EQ(thin.node_of("gn").int_or("num_groups", 0), 2);
}

TEST(GroupNormalization, ParametersAreAGroupsBefore21) {
  SmallNet net = group_norm(18);
  net.remove("w", 0, 3, 0);
  EXPECT_THAT(net.gone("s", 0), ElementsAre(1));
  SmallNet thin = group_norm(18);
  thin.remove("w", 0, 3, 1);
  EXPECT_THAT(thin.gone("s", 0), IsEmpty());
}

TEST(LayerNormalization, JoinsItsParametersAndIsInexact) {
  SmallNet net;
  const Value* x = net.node("MatMul", "m", {net.input("x", {2, 5, 3}), net.weight("w", {3, 4})});
  net.node("LayerNormalization", "ln", {x, net.weight("s", {4}), net.weight("b", {4})}, {}, 3);
  net.run_rules();
  EXPECT_EQ(net.dims("ln_1"), "2x5x1");
  net.remove("w", 1, 2);
  EXPECT_THAT(net.gone("s", 0), ElementsAre(2));
  EXPECT_THAT(net.gone("b", 0), ElementsAre(2));
  EXPECT_TRUE(net.approximate("w", 1));
}

TEST(Softmax, BeforeOpset13TouchesEveryAxisFromItsOwnOn) {
  for (const std::int64_t opset : {11, 13}) {
    SmallNet net(opset);
    const Value* x = net.node("Conv", "conv", {net.input("x", {1, 3, 8, 8}), net.weight("w", {4, 3, 1, 1})});
    net.node("Softmax", "y", {x});
    net.run_rules();
    EXPECT_EQ(net.approximate("w", 0), opset == 11);
  }
}

}  // namespace
}  // namespace compressor::ops

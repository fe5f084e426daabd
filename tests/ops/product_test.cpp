// product_test: shapes, cost and channels of MatMul, Gemm, Einsum and Attention.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/small_net.h"

namespace compressor::ops {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(MatMul, ContractedAxesJoin) {
  SmallNet net;
  const Value* x = net.node("MatMul", "a", {net.input("x", {2, 5, 3}), net.weight("w1", {3, 4})});
  net.node("MatMul", "b", {x, net.weight("w2", {4, 6})});
  net.run_rules();
  net.remove("w1", 1, 3);
  EXPECT_THAT(net.gone("a", 2), ElementsAre(3));
  EXPECT_THAT(net.gone("w2", 0), ElementsAre(3));
  EXPECT_EQ(net.roles("w1", 1), static_cast<unsigned>(AxisRole::kProducer));
  EXPECT_EQ(net.roles("w2", 0), static_cast<unsigned>(AxisRole::kConsumer));
  EXPECT_EQ(net.cost("b").macs, 2.0 * 5 * 4 * 6);
  EXPECT_EQ(net.cost("b").flops, 2.0 * 5 * (2 * 4 - 1) * 6);
}

TEST(MatMul, VectorsAndBatches) {
  const auto dims = [](SymDims a, SymDims b) {
    SmallNet net;
    net.node("MatMul", "y", {net.input("a", std::move(a)), net.input("b", std::move(b))});
    return net.dims("y");
  };
  EXPECT_EQ(dims({3}, {3}), "scalar");
  EXPECT_EQ(dims({3}, {2, 3, 4}), "2x4");
  EXPECT_EQ(dims({5, 2, 3}, {3}), "5x2");
  EXPECT_EQ(dims({SymDim::symbol("N"), 1, 2, 3}, {7, 3, 4}), "Nx7x2x4");
  SmallNet net;
  net.node("MatMul", "y", {net.input("a", {2, 3}), net.input("b", {4, 5})});
  EXPECT_THAT(net.problem(), HasSubstr("left operand 2x3 has 3 columns, right operand 4x5 has 4 rows"));
}

TEST(Gemm, TransposesAndBias) {
  SmallNet net;
  const Value* x =
      net.node("Gemm", "a", {net.input("x", {2, 3}), net.weight("w1", {4, 3}), net.weight("b1", {4})},
               {{"transB", std::int64_t{1}}});
  net.node("Gemm", "b", {x, net.weight("w2", {4, 6}), net.weight("b2", {1, 6})});
  net.run_rules();
  net.remove("b1", 0, 1);
  EXPECT_THAT(net.gone("w1", 0), ElementsAre(1));
  EXPECT_THAT(net.gone("w2", 0), ElementsAre(1));
  net.remove("b2", 1, 5);
  EXPECT_THAT(net.gone("w2", 1), ElementsAre(5));
  EXPECT_EQ(net.roles("b2", 1), static_cast<unsigned>(AxisRole::kShift));
  EXPECT_EQ(net.cost("a").flops, 2.0 * (2 * 3 - 1) * 4);
}

TEST(Einsum, ALabelIsOneList) {
  SmallNet net;
  const Value* x = net.input("x", {2, 5, 3});
  const Value* q =
      net.node("Einsum", "q", {x, net.weight("wq", {3, 4, 6})}, {{"equation", std::string("btd,dhk->bthk")}});
  const Value* k =
      net.node("Einsum", "k", {x, net.weight("wk", {3, 4, 6})}, {{"equation", std::string("btd,dhk->bthk")}});
  const Value* s = net.node("Einsum", "s", {q, k}, {{"equation", std::string("bthk,bshk->bhts")}});
  net.run_rules();
  EXPECT_EQ(net.dims("s"), "2x4x5x5");
  ASSERT_NE(s, nullptr);
  net.remove("wq", 2, 1);
  net.remove("wq", 1, 3);
  EXPECT_THAT(net.gone("wk", 2), ElementsAre(1));
  EXPECT_THAT(net.gone("wk", 1), ElementsAre(3));
  EXPECT_THAT(net.gone("s", 1), ElementsAre(3));
  EXPECT_THAT(net.gone("s", 2), IsEmpty());
  EXPECT_EQ(net.cost("s").macs, 2.0 * 4 * 5 * 5 * 6);
  EXPECT_EQ(net.roles("wq", 0), static_cast<unsigned>(AxisRole::kConsumer));
}

TEST(Einsum, ReadsEllipsisAndImplicitOutputs) {
  const auto dims = [](const std::string& equation, SymDims a, SymDims b) {
    SmallNet net;
    net.node("Einsum", "y", {net.input("a", std::move(a)), net.input("b", std::move(b))},
             {{"equation", equation}});
    return net.problem().empty() ? net.dims("y") : net.problem();
  };
  EXPECT_EQ(dims("...ij, ...jk", {7, 2, 3}, {1, 3, 4}), "7x2x4");
  EXPECT_EQ(dims("ij,kj", {2, 3}, {4, 3}), "2x4");
  EXPECT_EQ(dims("i,j->ij", {2}, {3}), "2x3");
  EXPECT_THAT(dims("ij,jk->ik", {2, 3}, {4, 4}), HasSubstr("length of a shared label is 4, expected 3"));
  EXPECT_THAT(dims("ij,jk->iz", {2, 3}, {3, 4}), HasSubstr("output label 'z' is in no operand"));
  EXPECT_THAT(dims("ij->i", {2, 3}, {3, 4}), HasSubstr("has 1 terms, expected 2"));
  EXPECT_THAT(dims("i,jk->ik", {2, 3}, {3, 4}), HasSubstr("the term 'i' for an operand of rank 2"));
}

// Four query heads of width 3 on two key heads, value heads of width 2.
SmallNet attention() {
  SmallNet net(23);
  const Value* x = net.input("x", {1, 5, 8});
  const Value* q = net.node("MatMul", "q", {x, net.weight("wq", {8, 12})});
  const Value* k = net.node("MatMul", "k", {x, net.weight("wk", {8, 6})});
  const Value* v = net.node("MatMul", "v", {x, net.weight("wv", {8, 4})});
  const Value* y = net.node("Attention", "y", {q, k, v},
                            {{"q_num_heads", std::int64_t{4}}, {"kv_num_heads", std::int64_t{2}}});
  net.node("MatMul", "out", {y, net.weight("wo", {8, 8})});
  net.run_rules();
  return net;
}

TEST(Attention, AKeyHeadTakesItsQueryHeadsAlong) {
  SmallNet net = attention();
  EXPECT_EQ(net.dims("y"), "1x5x8");
  net.remove("wk", 1, 0, 0);
  EXPECT_THAT(net.gone("wq", 1), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(net.gone("wk", 1), ElementsAre(0, 1, 2));
  EXPECT_THAT(net.gone("wv", 1), ElementsAre(0, 1));
  EXPECT_THAT(net.gone("wo", 0), ElementsAre(0, 1, 2, 3));
  net.shrink("y");
  EXPECT_EQ(net.node_of("y").int_or("q_num_heads", 0), 2);
  EXPECT_EQ(net.node_of("y").int_or("kv_num_heads", 0), 1);
  EXPECT_EQ(net.node_of("y").attribute("scale"), nullptr);
}

TEST(Attention, ThinnerHeadsKeepTheirScale) {
  SmallNet net = attention();
  net.remove("wk", 1, 1, 1);  // the second number of every key, and so of every query
  EXPECT_THAT(net.gone("wq", 1), ElementsAre(1, 4, 7, 10));
  EXPECT_THAT(net.gone("wk", 1), ElementsAre(1, 4));
  EXPECT_THAT(net.gone("wv", 1), IsEmpty());
  net.shrink("y");
  EXPECT_EQ(net.node_of("y").int_or("q_num_heads", 0), 4);
  EXPECT_FLOAT_EQ(net.node_of("y").float_or("scale", 0), 0.57735027F);  // 1 / sqrt(3)
}

}  // namespace
}  // namespace compressor::ops

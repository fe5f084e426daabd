// product_bias_test: MatMul and Add before, Gemm or an Add of as many axes after.
#include "passes/quantize/integer/product_bias.h"

#include <gtest/gtest.h>

#include "builder.h"
#include "referee.h"

namespace compressor::quantize {
namespace {

using build::Net;
using build::V;

Model layer(const Dims& x, bool shared = false) {
  Net n;
  const V y = n.matmul(n.input("x", x), n.weight({8, 6}));
  n.output(n.relu(n.add(y, n.weight({6}))));
  if (shared) n.output(n.op("Exp", {y}));
  return n.done();
}

std::int64_t count(const Model& model, std::string_view op) {
  std::int64_t n = 0;
  for (const Node& node : model.graph->nodes()) n += node.is(op) ? 1 : 0;
  return n;
}

TEST(ProductBias, TwoAxesBecomeGemmUnderTheNameOfTheSum) {
  Model model = layer({4, 8});
  std::string sum;
  for (const Node& node : model.graph->nodes()) {
    if (node.is("Add")) sum = node.output(0)->name();
  }
  EXPECT_EQ(place_product_biases(model), 1);
  model.verify();
  ASSERT_EQ(count(model, "Gemm"), 1);
  EXPECT_EQ(count(model, "MatMul") + count(model, "Add"), 0);
  EXPECT_EQ(model.graph->nodes().front().output(0)->name(), sum);
}

TEST(ProductBias, MoreAxesKeepAnAddOfTheirRank) {
  Model model = layer({2, 4, 8});
  EXPECT_EQ(place_product_biases(model), 0);
  model.verify();
  for (const Node& node : model.graph->nodes()) {
    if (!node.is("Add")) continue;
    EXPECT_EQ(node.input(1)->initializer()->shape, (Dims{1, 1, 6})) << node.label();
  }
  EXPECT_EQ(count(model, "MatMul"), 1);
}

TEST(ProductBias, WhatOthersReadStays) {
  Model model = layer({4, 8}, true);
  EXPECT_EQ(place_product_biases(model), 0);
  EXPECT_EQ(count(model, "MatMul"), 1);
}

TEST(ProductBiasReferee, NothingChanges) {
  REQUIRE_REFEREE();
  for (const Dims& x : {Dims{4, 8}, Dims{2, 4, 8}, Dims{2, 3, 4, 8}}) {
    const Model before = layer(x);
    Model after = before.clone();
    place_product_biases(after);
    const judge::Difference d = judge::difference(before, after);
    EXPECT_EQ(d.error, "");
    EXPECT_LT(d.max_rel, 1e-5);
  }
}

}  // namespace
}  // namespace compressor::quantize

// dynamic_test: products before, integer products after.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder.h"
#include "compressor/base/error.h"
#include "compressor/passes/quantize.h"
#include "referee.h"

namespace compressor {
namespace {

using build::attr;
using build::Net;
using build::V;
using testing::HasSubstr;

PassResult run(Model& model, const std::vector<std::string>& exclude = {}) {
  Quantize quantize;
  quantize.mode.set("dynamic");
  quantize.check();
  PassContext context;
  context.filter = NodeFilter({}, exclude);
  quantize.run(model, context);
  model.verify();
  return std::move(context.result);
}

/// Two products of one input, a Gemm either way round, one in a body, and one of two activations.
Model products(std::int64_t opset = 13) {
  Net n(opset);
  const V x = n.input("x", {4, 32});
  const V c = n.input("c", {1}, DType::kBool);
  const V a = n.dense(x, 32, 48), b = n.matmul(x, n.weight({32, 48}));
  V y = n.linear(n.add(a, b), 48, 24);
  y = n.op("Gemm", {y, n.weight({24, 16}), n.weight({16})});
  const V z = n.op("If", {c});
  n.body(z, "then_branch", [&](build::Builder& i) {
    i.graph().add_output(*i.matmul(y, i.weight({16, 16})));
  });
  n.body(z, "else_branch", [&](build::Builder& i) { i.graph().add_output(*i.relu(y)); });
  n.output(n.matmul(z, n.transpose(y, {1, 0})));
  return n.done();
}

TEST(Dynamic, ProductsBecomeIntegerProducts) {
  Model model = products();
  const PassResult r = run(model);
  EXPECT_EQ(r.done, 5);
  ASSERT_EQ(r.skipped, 1);
  int inputs = 0;
  for (const Node& node : model.graph->nodes()) {
    EXPECT_FALSE(node.is("Gemm"));
    inputs += node.is("DynamicQuantizeLinear");
  }
  EXPECT_EQ(inputs, 3);  // x is quantized once for both of its products
  for (const Value* v : model.graph->initializers()) {
    const bool matrix = v->initializer()->rank() == 2;
    EXPECT_TRUE(!matrix || v->initializer()->dtype == DType::kInt8) << v->name();
  }
}

TEST(Dynamic, WhatIsLeftOutStays) {
  Model model = products();
  const PassResult r = run(model, {"op:Gemm"});
  EXPECT_EQ(r.done, 3);
  EXPECT_EQ(r.skipped, 3);
  Net n;
  n.output(n.relu(n.conv(n.input("x", {1, 3, 8, 8}), 3, 4)));
  Model none = n.done();
  EXPECT_THROW(run(none), Error);
}

TEST(DynamicReferee, AnswersNearlyAndIsFused) {
  REQUIRE_REFEREE();
  for (const std::int64_t opset : {9, 13, 21}) {
    const Model before = products(opset);
    Model after = before.clone();
    run(after);
    const judge::Difference d = judge::difference(before, after, {{"samples", 4}});
    EXPECT_EQ(d.error, "") << opset;
    EXPECT_GT(d.reply.value("sqnr_db", 0.0), 25) << opset;
    EXPECT_GT(d.max_abs, 0);
    const nlohmann::json ops = judge::optimized_ops(after);
    EXPECT_EQ(ops.value("MatMulInteger", 0), 0) << ops;
  }
}

}  // namespace
}  // namespace compressor

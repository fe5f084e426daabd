// dynamic_test: products before, integer products after.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "builder.h"
#include "compressor/base/error.h"
#include "compressor/passes/quantize.h"
#include "referee.h"

namespace compressor {
namespace {

using build::attr;
using build::Net;
using build::V;

PassResult run(Model& model, const std::vector<std::string>& exclude = {},
               const std::function<void(Quantize&)>& set = {}) {
  Quantize quantize;
  quantize.mode.set("dynamic");
  if (set) set(quantize);
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
    const judge::Difference d = judge::difference(before, after, {.samples = 4});
    EXPECT_EQ(d.error, "") << opset;
    EXPECT_GT(d.sqnr_db, 25) << opset;
    EXPECT_GT(d.max_abs, 0);
    const judge::OpCounts ops = judge::optimized_ops(after);
    EXPECT_EQ(ops.of("MatMulInteger"), 0) << ops;
  }
}

/// Convolutions of images and of sequences, grouped and depthwise.
Model convolutions() {
  Net n;
  V x = n.relu(n.conv(n.input("x", {2, 4, 12, 12}), 4, 8, {.bias = true}));
  x = n.relu(n.conv(x, 8, 8, {.stride = 2, .group = 2}));
  x = n.conv(x, 8, 8, {.group = 8});
  n.output(n.linear(n.gap(x), 8, 5));
  return n.done();
}

void with_conv(Quantize& q) {
  q.dynamic_conv.set(true);
}

TEST(Dynamic, ConvolutionsOnRequestAreIntegerOnes) {
  Model model = convolutions();
  EXPECT_EQ(run(model).skipped, 3);
  model = convolutions();
  const PassResult r = run(model, {}, with_conv);
  EXPECT_EQ(r.done, 3);
  ASSERT_EQ(r.skipped, 1);
  int integer = 0;
  for (const Node& node : model.graph->nodes()) {
    if (!node.is("ConvInteger")) continue;
    ++integer;
    EXPECT_EQ(node.input(1)->initializer()->dtype, DType::kUint8);
    EXPECT_EQ(to_doubles(*node.input(3)->initializer())[0], 128);
  }
  EXPECT_EQ(integer, 2);
}

Model recurrent(const char* direction, bool layout = false) {
  const std::int64_t d = std::string(direction) == "bidirectional" ? 2 : 1;
  Net n(14);
  const V x = n.input("x", {7, 2, 12});
  build::Settings settings{attr("hidden_size", std::int64_t{16}), attr("direction", direction)};
  if (layout) settings.push_back(attr("layout", std::int64_t{1}));
  n.output(n.op("LSTM", {x, n.weight({d, 64, 12}), n.weight({d, 64, 16}), n.weight({d, 128})}, settings));
  return n.done();
}

void for_runtime(Quantize& q) {
  q.target.set("ort-cpu-avx2");
}

TEST(Dynamic, RecurrencesAreForTheRuntimeThatKnowsThem) {
  Model model = recurrent("forward");
  EXPECT_THROW(run(model), Error);
  model = recurrent("forward", true);
  EXPECT_THROW(run(model, {}, for_runtime), Error);
  model = recurrent("forward");
  EXPECT_EQ(run(model, {}, for_runtime).done, 1);
  EXPECT_EQ(model.opset("com.microsoft"), 1);
  const Node& lstm = *model.graph->nodes().begin();
  EXPECT_EQ(lstm.op(), "DynamicQuantizeLSTM");
  EXPECT_EQ(lstm.input(1)->initializer()->shape, (Dims{1, 12, 64}));
  EXPECT_EQ(lstm.input(8)->initializer()->shape, (Dims{1, 64}));
}

TEST(DynamicReferee, ConvolutionsRecurrencesAndTwoActivationsAnswerNearly) {
  REQUIRE_REFEREE();
  const auto near = [](const Model& before, const std::function<void(Quantize&)>& set, const char* what) {
    Model after = before.clone();
    run(after, {}, set);
    const judge::Difference d = judge::difference(before, after, {.samples = 3});
    EXPECT_EQ(d.error, "") << what;
    EXPECT_GT(d.sqnr_db, 25) << what;
    EXPECT_GT(d.max_abs, 0) << what;
    return judge::optimized_ops(after);
  };
  near(convolutions(), with_conv, "convolutions");
  for (const char* direction : {"forward", "reverse", "bidirectional"})
    near(recurrent(direction), for_runtime, direction);
  const judge::OpCounts ops = near(
      products(), [](Quantize& q) { q.dynamic_activations.set(true); }, "two activations");
  EXPECT_EQ(ops.of("MatMul"), 0) << ops;
}

}  // namespace
}  // namespace compressor

// stored_test: float32 weights before, bfloat16 or float8 behind a decoder after.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "builder.h"
#include "compressor/base/error.h"
#include "compressor/onnx/load.h"
#include "compressor/passes/narrow.h"
#include "referee.h"

namespace compressor {
namespace {

using build::attr;
using build::Net;
using build::V;
using testing::HasSubstr;

constexpr DType kTypes[] = {DType::kBFloat16, DType::kFloat8E4M3FN};

/// Every kind of reader: convolutions, a transposed one, products either way round, a table, an LSTM, a body.
Model readers() {
  Net n(14);
  V x = n.relu(n.conv(n.input("x", {1, 8, 8, 8}), 8, 32, {.bias = true}));
  x = n.conv_transpose(n.conv(x, 32, 32, {.group = 4}), 32, 16);
  V y = n.matmul(n.linear(n.gap(x), 16, 64), n.weight({64, 24}));
  y = n.op("Gemm", {y, n.weight({24, 32}), n.weight({32})});
  const V c = n.input("c", {1}, DType::kBool);
  const V z = n.op("If", {c});
  n.body(z, "then_branch", [&](build::Builder& i) {
    i.graph().add_output(*i.matmul(y, i.weight({32, 20})));
  });
  n.body(z, "else_branch", [&](build::Builder& i) {
    i.graph().add_output(*i.matmul(y, i.weight({32, 20})));
  });
  n.output(z);
  const V t = n.gather(n.weight({40, 12}), n.ints({3, 39, 0, 7}), 0);
  n.output(n.op("LSTM", {n.unsqueeze(t, {1}), n.weight({1, 32, 12}), n.weight({1, 32, 8})},
                {attr("hidden_size", std::int64_t{8})}));
  return n.done();
}

PassResult run(Model& model, DType type, const std::vector<std::string>& exclude = {}) {
  PassContext context;
  context.filter = NodeFilter({}, exclude);
  store_narrow(model, type, context);
  model.verify();
  return std::move(context.result);
}

std::int64_t stored(const Model& model, DType type) {
  std::int64_t n = 0;
  model.each_graph([&](const Graph& graph) {
    for (const Value* v : graph.initializers()) n += v->initializer()->dtype == type ? 1 : 0;
  });
  return n;
}

TEST(Stored, WeightsAreNarrowAndDecoded) {
  for (const DType type : kTypes) {
    Model model = readers();
    const PassResult r = run(model, type);
    EXPECT_EQ(r.done, stored(model, type));
    EXPECT_GE(r.done, 9) << name(type);
    EXPECT_EQ(model.opset(), type == DType::kBFloat16 ? 14 : 19);
    for (const Value* v : model.graph->initializers()) {
      if (v->initializer()->dtype != type) continue;
      const Node& cast = *v->uses()[0].node;
      EXPECT_TRUE(cast.is("Cast")) << cast.op();
      EXPECT_EQ(cast.int_or("to", 0), static_cast<std::int64_t>(DType::kFloat));
    }
  }
}

TEST(Stored, Float8HasTheLargestOfEveryChannelExactly) {
  Net n;
  const V x = n.input("x", {1, 64, 4, 4});
  n.output(n.conv_with(x, n.weight({8, 64, 3, 3}), nullptr));
  Model model = n.done();
  const Tensor before = *model.graph->initializers()[0]->initializer();
  run(model, DType::kFloat8E4M3FN);
  const Tensor *codes = nullptr, *scale = nullptr;
  for (const Value* v : model.graph->initializers())
    (v->initializer()->dtype == DType::kFloat8E4M3FN ? codes : scale) = v->initializer();
  ASSERT_TRUE(codes && scale);
  EXPECT_EQ(scale->shape, (Dims{8, 1, 1, 1}));
  const std::vector<float> w = to_floats(before), q = to_floats(*codes), s = to_floats(*scale);
  for (std::size_t c = 0; c < 8; ++c) {
    float most = 0, top = 0;
    for (std::size_t i = c * 576; i < (c + 1) * 576; ++i) {
      most = std::max(most, std::abs(w[i]));
      top = std::max(top, std::abs(q[i]));
      // Half a step of three bits behind the point, or of the least denormal.
      EXPECT_LE(std::abs(q[i] * s[c] - w[i]), std::abs(w[i]) / 16 + s[c] / 1024 * 1.01F);
    }
    EXPECT_EQ(top, 448);
    EXPECT_FLOAT_EQ(top * s[c], most);
  }
}

TEST(Stored, WhatIsLeftOutSmallOrNotFiniteStaysWithAReason) {
  Model model = readers();
  const PassResult r = run(model, DType::kBFloat16, {"op:Conv"});
  EXPECT_GE(r.skipped, 2);
  Net small;
  small.output(small.linear(small.input("x", {1, 4}), 4, 4));
  Model none = small.done();
  try {
    run(none, DType::kFloat8E4M3FN);
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("is too small"));
  }
  Net net;
  std::vector<float> values(1024, 1.0F);
  values[7] = INFINITY;
  net.output(net.matmul(net.input("x", {1, 32}),
                        net.constant(Tensor::of({32, 32}, std::span<const float>(values)))));
  Model infinite = net.done();
  EXPECT_THROW(run(infinite, DType::kBFloat16), Error);
}

TEST(StoredReferee, LoadsFoldsAndAnswersNearly) {
  REQUIRE_REFEREE();
  for (const DType type : kTypes) {
    const Model before = readers();
    Model after = before.clone();
    run(after, type);
    const judge::Difference d = judge::difference(before, after);
    EXPECT_EQ(d.error, "") << name(type);
    EXPECT_LT(d.max_rel, type == DType::kBFloat16 ? 0.02 : 0.2) << name(type);
    EXPECT_GT(d.max_abs, 0);
    const judge::OpCounts ops = judge::optimized_ops(after);
    EXPECT_EQ(ops.of("Cast"), 0) << "folded at load: " << ops;
  }
}

TEST(StoredLongReferee, RealModelsAnswerNearly) {
  REQUIRE_REFEREE();
  REQUIRE_MODELS();
  for (const std::string& path : judge::real_models()) {
    for (const DType type : kTypes) {
      Model after = load_model(path);
      try {
        run(after, type);
      } catch (const Error& e) {
        EXPECT_THAT(e.what(), testing::AnyOf(HasSubstr("no weight can be stored"), HasSubstr("needs opset")))
            << path;
        continue;
      }
      const judge::Check check = judge::check_of(after);
      EXPECT_TRUE(check.loads) << path << " " << check.reply;
    }
  }
}

}  // namespace
}  // namespace compressor

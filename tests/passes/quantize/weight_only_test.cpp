// weight_only_test: weights before, codes and scales after, and what is left alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "builder.h"
#include "compressor/base/threads.h"
#include "compressor/codec/storage.h"
#include "compressor/onnx/load.h"
#include "compressor/onnx/save.h"
#include "compressor/ops/facts.h"
#include "compressor/passes/quantize.h"
#include "referee.h"

namespace compressor {
namespace {

using build::attr;
using build::Net;
using build::V;
using testing::HasSubstr;

PassResult run(Model& model, const std::function<void(Quantize&)>& set = {}) {
  Quantize quantize;
  if (set) set(quantize);
  quantize.check();
  PassContext context;
  quantize.run(model, context);
  model.verify();
  return std::move(context.result);
}

/// Every operator that has weights, one after another.
Model every_op(std::int64_t opset = 13) {
  Net n(opset);
  V x = n.input("x", {1, 8, 8, 8});
  x = n.relu(n.conv(x, 8, 32));
  x = n.conv(x, 32, 32, {.group = 4});
  x = n.conv_transpose(x, 32, 16, 2);
  x = n.op("GlobalAveragePool", {x});
  x = n.op("Flatten", {x});
  x = n.linear(x, 16, 64);
  x = n.dense(x, 64, 32);
  x = n.op("Gemm", {x, n.weight({32, 40}), n.weight({40})});
  x = n.reshape(x, {2, 1, 20});
  x = n.ops("LSTM", {x, n.weight({2, 64, 20}), n.weight({2, 64, 16})}, 1,
            {attr("hidden_size", std::int64_t{16}), attr("direction", "bidirectional")})[0];
  x = n.ops("GRU", {n.reshape(x, {2, 1, 32}), n.weight({1, 48, 32}), n.weight({1, 48, 16})}, 1,
            {attr("hidden_size", std::int64_t{16})})[0];
  const V rows = n.gather(n.weight({50, 32}), n.ints({3, 7}), 0);
  x = n.add(n.reshape(x, {2, 16}), n.matmul(rows, n.constant_node(n.weight({32, 16}))));
  x = n.matmul(n.weight({24, 2}, 1), n.matmul(n.weight({2, 2}), x));
  n.output(x);
  return n.done();
}

const Node* twin_of(const Node& node, const Model& model) {
  for (const Node& other : model.graph->nodes()) {
    if (other.id() == node.id()) return &other;
  }
  return nullptr;
}

/// The model with its weights replaced by what `quantized` decodes in their place.
Model with_decoded(const Model& model, const Model& quantized) {
  Model result = model.clone();
  for (const Node* node : result.graph->node_list()) {
    const Node* twin = twin_of(*node, quantized);
    for (std::size_t i = 0; twin && i < node->inputs().size(); ++i) {
      const auto grid = twin->input(i) ? codec::lift(*twin->input(i)) : std::nullopt;
      if (!grid) continue;
      const Value* w =
          result.graph->add_initializer(result.graph->fresh_name("decoded"), codec::decode(*grid));
      result.graph->set_input(*node, i, w);
    }
  }
  return result;
}

TEST(Quantize, TakesTheWeightsOfEveryOperator) {
  const Model before = every_op();
  Model after = before.clone();
  const PassResult r = run(after);
  EXPECT_EQ(r.done, 12);
  EXPECT_EQ(r.skipped, 2);
  for (const LayerRecord& layer : r.layers)
    EXPECT_THAT(layer.detail, HasSubstr(layer.action == "skipped" ? "too small" : "SNR 4"));
}

TEST(Quantize, DepthwiseTransposedConvolutionsHaveAScaleForEveryChannel) {
  for (const auto& [storage, bits] : {std::pair("portable", "8"), {"qdq", "8"}, {"portable", "4"}}) {
    Net n;
    const V w = n.weight({64, 1, 4, 4});
    n.output(n.op("ConvTranspose", {n.input("x", {1, 64, 5, 5}), w}, {attr("group", std::int64_t{64})}));
    Model model = n.done();
    Quantize quantize;
    quantize.storage.parse(storage);
    quantize.bits.parse(bits);
    PassContext context;
    quantize.run(model, context);
    const auto grid = codec::lift(*model.graph->nodes().back().input(1));
    ASSERT_TRUE(grid) << storage;
    EXPECT_EQ(grid->scale.size(), 64U) << storage << " " << bits;
  }
}

TEST(QuantizeReferee, EverySettingLoadsAndComputesWithTheDecodedWeights) {
  REQUIRE_REFEREE();
  struct Setting {
    std::string bits, granularity, storage;
    bool asymmetric;
  };
  for (const std::int64_t opset : {9, 11, 13, 17}) {
    const Model before = every_op(opset);
    for (const Setting& s : std::vector<Setting>{{"8", "tensor", "portable", false},
                                                 {"8", "channel", "portable", true},
                                                 {"8", "channel", "qdq", false},
                                                 {"8", "tensor", "qdq", true},
                                                 {"8", "group", "blocked", true},
                                                 {"8", "group", "matmulnbits", false},
                                                 {"4", "channel", "qdq", true},
                                                 {"4", "group", "portable", false},
                                                 {"4", "group", "blocked", true},
                                                 {"4", "group", "matmulnbits", true},
                                                 {"2", "group", "portable", true}}) {
      Model after = before.clone();
      const PassResult r = run(after, [&](Quantize& q) {
        q.bits.set(s.bits);
        q.granularity.set(s.granularity);
        q.storage.set(s.storage);
        (s.asymmetric ? q.asymmetric : q.symmetric).set(true);
      });
      EXPECT_GT(r.done, 1);
      const bool exact = s.storage != "matmulnbits";  // that one multiplies in blocks
      const Model same = exact ? with_decoded(before, after) : before.clone();
      // Unoptimised: ONNX Runtime turns a DequantizeLinear before a product into one that rounds its input.
      const judge::Difference d = judge::difference(same, after, {.opt = "none"});
      const std::string what = fmt::format("opset {} bits {} {} {}", opset, s.bits, s.granularity, s.storage);
      EXPECT_EQ(d.error, "") << what;
      EXPECT_LT(d.max_rel, exact ? 1e-5 : 1) << what;
      EXPECT_GT(judge::difference(before, after).max_abs, 0) << what;
    }
  }
}

TEST(Quantize, ASharedWeightIsStoredOnce) {
  Net n;
  const V w = n.weight({64, 64});
  n.output(n.matmul(n.matmul(n.input("x", {2, 64}), w), w));
  Model model = n.done();
  const PassResult r = run(model);
  EXPECT_EQ(r.done, 1);
  std::size_t stored = 0;
  for (const Value* v : model.graph->initializers()) stored += v->initializer()->dtype == DType::kInt8;
  EXPECT_EQ(stored, 1U);
  EXPECT_THAT(r.layers[0].detail, HasSubstr("read by 2 nodes"));
}

/// If(c) { x W } else { x V }, with one weight outside and one inside a body.
Model branches() {
  Net n;
  const V x = n.input("x", {2, 32});
  const V c = n.input("c", {1}, DType::kBool);
  const V w = n.weight({32, 32});
  const V y = n.op("If", {c});
  n.body(y, "then_branch", [&](build::Builder& b) { b.graph().add_output(*b.matmul(x, w)); });
  n.body(y, "else_branch", [&](build::Builder& b) {
    b.graph().add_output(*b.matmul(x, b.constant_node(b.weight({32, 32}))));
  });
  n.output(y);
  return n.done();
}

TEST(Quantize, GoesIntoBodies) {
  Model model = branches();
  EXPECT_EQ(run(model).done, 2);
}

TEST(QuantizeReferee, BodiesComputeTheSame) {
  REQUIRE_REFEREE();
  const Model before = branches();
  for (const char* storage : {"portable", "qdq", "matmulnbits"}) {
    Model after = before.clone();
    run(after, [&](Quantize& q) { q.storage.set(storage); });
    const judge::Difference d = judge::difference(before, after, {.samples = 4});
    EXPECT_EQ(d.error, "") << storage;
    EXPECT_LT(d.max_rel, 0.02) << storage;
  }
}

TEST(Quantize, LeavesWhatWouldGrowWhatIsComputedAndWhatIsQuantized) {
  Net n;
  const V x = n.input("x", {2, 64}), few = n.input("few", {2, 32});
  const V small = n.matmul(few, n.weight({32, 2}));
  const V computed = n.matmul(x, n.relu(n.input("w", {64, 64})));
  const V done = n.matmul(x, n.weight({64, 64}));
  n.output(small), n.output(computed), n.output(done);
  Model model = n.done();
  EXPECT_EQ(run(model).done, 1);
  try {
    run(model);
    FAIL() << "there is nothing left";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kTarget);
    EXPECT_THAT(e.what(), HasSubstr("nothing can be quantized"));
  }
}

TEST(Quantize, WeightsThatAreInputsTooStayWeights) {
  Net n(9);
  const V x = n.input("x", {2, 64});
  n.output(n.matmul(x, n.weight({64, 64})));
  Model model = n.done();
  model.ir_version = 3;
  const Value* w = model.graph->initializers()[0];
  // As IR versions below 4 have it: the initializer is among the inputs.
  const Tensor t = *w->initializer();
  model.graph->add_input(w->name(), Type::tensor(t.dtype, t.shape));
  const PassResult r = run(model);
  EXPECT_EQ(r.done, 1);
  EXPECT_EQ(model.graph->inputs().size(), 1U);
  EXPECT_GE(model.ir_version, 4);
}

TEST(Quantize, FloatsOfHalfWidthAreDecodedToTheirType) {
  for (const DType type : {DType::kFloat16, DType::kBFloat16, DType::kDouble}) {
    Net n(17);
    const V x = n.input("x", {2, 64}, type);
    const std::vector<double> values(4096, 0.5);
    n.output(n.matmul(x, n.constant(Tensor::of(type, {64, 64}, std::span<const double>(values)))), type);
    Model model = n.done();
    EXPECT_EQ(run(model).done, 1);
    const auto facts = infer_facts(model);
    EXPECT_EQ(facts.of(*model.graph->outputs()[0]).dtype, type);
  }
}

TEST(Quantize, SameBytesAtAnyNumberOfThreads) {
  const auto bytes = [](int threads) {
    set_threads(threads);
    Model model = every_op();
    run(model, [](Quantize& q) { q.bits.set("4"); });
    const judge::TempFolder folder;
    const SaveResult saved = save_model(model, folder.file("m.onnx"), {.hash = true});
    return saved.hash;
  };
  EXPECT_EQ(bytes(1), bytes(2));
  EXPECT_EQ(bytes(1), bytes(7));
  set_threads(0);
}

TEST(Quantize, WhatDoesNotGoTogetherIsRefused) {
  const auto refused = [](const std::function<void(Quantize&)>& set) {
    Quantize q;
    set(q);
    EXPECT_THROW(q.check(), Error);
  };
  refused([](Quantize& q) { q.mode.set("dynamic"), q.format.set("qoperator"); });
  refused([](Quantize& q) { q.mode.set("weight-only"), q.activation_type.set("int8"); });
  refused([](Quantize& q) { q.mode.set("static"), q.format.set("qoperator"), q.target.set("trt"); });
  refused(
      [](Quantize& q) { q.mode.set("static"), q.format.set("qoperator"), q.activation_type.set("int16"); });
  refused([](Quantize& q) { q.mode.set("static"), q.activation_type.set("uint16"), q.target.set("tflite"); });
  refused([](Quantize& q) { q.symmetric.set(true), q.asymmetric.set(true); });
  refused([](Quantize& q) { q.bits.set("4"), q.type.set("int8"); });
  refused([](Quantize& q) { q.bits.set("2"), q.storage.set("qdq"); });
  refused([](Quantize& q) { q.storage.set("blocked"), q.granularity.set("channel"); });
  refused([](Quantize& q) { q.storage.set("matmulnbits"), q.group_size.set(48); });
  refused([](Quantize& q) { q.group_size.set(64); });
  refused([](Quantize& q) { q.clip.set("hqq"), q.symmetric.set(true); });
}

TEST(QuantizeLongReferee, RealModelsLoadAndAnswer) {
  REQUIRE_REFEREE();
  REQUIRE_MODELS();
  for (const std::string& path : judge::real_models()) {
    const Model model = load_model(path);
    for (const char* bits : {"8", "4"}) {
      for (const char* storage : {"portable", "auto"}) {
        Model after = model.clone();
        run(after, [&](Quantize& q) {
          q.bits.set(bits);
          q.storage.set(std::string(storage) == "auto" ? (bits[0] == '8' ? "qdq" : "blocked") : storage);
        });
        const judge::Check check = judge::check_of(after);
        EXPECT_TRUE(check.loads) << path << " " << bits << " " << check.reply;
      }
    }
  }
}

}  // namespace
}  // namespace compressor

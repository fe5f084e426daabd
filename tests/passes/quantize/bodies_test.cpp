// bodies_test: convolutions and products inside If, Loop and Scan on codes, with what they read from outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "builder.h"
#include "compressor/base/random.h"
#include "compressor/engine/executor.h"
#include "compressor/passes/quantize.h"
#include "passes/quantize/integer/qoperator.h"
#include "passes/quantize/integer/static_qdq.h"
#include "referee.h"

namespace compressor::quantize {
namespace {

using build::attr;
using build::Builder;
using build::Ints;
using build::Net;
using build::V;
using testing::Contains;
using testing::HasSubstr;

constexpr std::uint64_t kSeed = 11;

/// x [1, 3, 8, 8] -> conv; both branches read it and have layers of their own, one of them in an If inside.
Model branches() {
  Net n;
  const V x = n.relu(n.conv(n.input("x", {1, 3, 8, 8}), 3, 8));
  const V flag = n.input("flag", {}, DType::kBool);
  const V y = n.op("If", {flag});
  n.body(y, "then_branch", [&](Builder& b) {
    const V inner = b.op("If", {flag});
    b.body(inner, "then_branch", [&](Builder& c) { c.graph().add_output(*c.cbr(x, 8, 6)); });
    b.body(inner, "else_branch", [&](Builder& c) { c.graph().add_output(*c.relu(c.conv(x, 8, 6))); });
    b.graph().add_output(*b.relu(inner));
  });
  n.body(y, "else_branch",
         [&](Builder& b) { b.graph().add_output(*b.relu(b.conv(x, 8, 6, {.bias = true}))); });
  n.output(n.linear(n.gap(n.cbr(y, 6, 6)), 6, 5));
  return n.done();
}

/// A loop of two rounds over x, whose body has a convolution with a weight from outside and one of its own.
Model rounds() {
  Net n;
  const V x = n.relu(n.conv(n.input("x", {1, 3, 8, 8}), 3, 8));
  const V w = n.weight({8, 8, 3, 3}, 0.1);
  const V y = n.op("Loop", {n.integer(2), nullptr, x});
  n.body(y, "body", [&](Builder& b) {
    b.graph().add_input("i", Type::tensor(DType::kInt64, {}));
    const V go = b.graph().add_input("go", Type::tensor(DType::kBool, {}));
    const V carried = b.graph().add_input("carried", Type::tensor(DType::kFloat, {1, 8, 8, 8}));
    const V next = b.relu(b.conv_with(b.relu(b.conv_with(carried, w, nullptr)), b.weight({8, 8, 3, 3}, 0.1),
                                      b.weight({8}, 0.1)));
    b.graph().add_output(*b.op("Identity", {go}));
    b.graph().add_output(*next);
  });
  n.output(n.linear(n.gap(y), 8, 5));
  return n.done();
}

/// A recurrence written out: h' = tanh(MatMul(x_t, W) + MatMul(h, R)), over the rows of x [6, 2, 8].
Model steps() {
  Net n;
  const V x = n.input("x", {6, 2, 8});
  const V h = n.constant(Tensor::of({2, 8}, std::vector<float>(16)));
  const std::vector<V> y = n.ops("Scan", {h, x}, 2, {attr("num_scan_inputs", std::int64_t{1})});
  n.body(y[0], "body", [&](Builder& b) {
    const V before = b.graph().add_input("h", Type::tensor(DType::kFloat, {2, 8}));
    const V row = b.graph().add_input("row", Type::tensor(DType::kFloat, {2, 8}));
    const V sum = b.add(b.dense(row, 8, 8), b.op("MatMul", {before, b.weight({8, 8})}));
    const V after = b.op("Tanh", {sum});
    b.graph().add_output(*after);
    b.graph().add_output(*b.op("Identity", {after}));
  });
  n.output(y[1]);
  return n.done();
}

PassContext::Batches batches_of(const Model& model, bool flag) {
  std::vector<PassContext::Inputs> all;
  Random random(kSeed);
  for (int i = 0; i < 8; ++i) {
    PassContext::Inputs inputs;
    for (const Value* v : model.graph->inputs()) {
      Dims dims;
      for (const Dim& d : v->type().dims) dims.push_back(d.value);
      std::vector<double> x(num_elements(dims));
      for (double& value : x) value = v->type().dtype == DType::kBool ? flag : random.normal();
      inputs[v->name()] = Tensor::of(v->type().dtype, dims, std::span<const double>(x));
    }
    all.push_back(std::move(inputs));
  }
  return [all](const std::function<void(const PassContext::Inputs&)>& visit) {
    for (const PassContext::Inputs& inputs : all) visit(inputs);
  };
}

PassResult weights_rounded(Model& model, const std::string& rounding) {
  PassContext context;
  context.batches = batches_of(model, true);
  Quantize q;
  q.mode.set("weight-only");
  q.bits.set("4");
  q.granularity.set("channel");
  q.rounding.set(rounding);
  q.run(model, context);
  model.verify();
  return std::move(context.result);
}

PassResult quantized(Model& model, const std::string& format = "qdq", const std::string& target = "generic",
                     bool flag = true) {
  PassContext context;
  context.batches = batches_of(model, flag);
  Quantize q;
  q.mode.set("static");
  q.format.set(format);
  q.target.set(target);
  q.run(model, context);
  model.verify();
  return std::move(context.result);
}

/// Power of the outputs over that of their difference, in dB, by our own engine.
double snr(const Model& a, const Model& b, bool flag = true) {
  Executor x(a), y(b);
  double signal = 0, noise = 0;
  batches_of(a, flag)([&](const PassContext::Inputs& inputs) {
    Executor::Feeds feeds;
    for (const auto& [name, t] : inputs) feeds[name] = t;
    const auto p = to_doubles(x.run(feeds)[0].tensor), q = to_doubles(y.run(feeds)[0].tensor);
    for (std::size_t i = 0; i < p.size(); ++i) {
      signal += p[i] * p[i];
      noise += (p[i] - q[i]) * (p[i] - q[i]);
    }
  });
  return 10 * std::log10(signal / noise);
}

std::map<std::string, std::vector<std::string>> reasons(const PassResult& result) {
  std::map<std::string, std::vector<std::string>> by_action;
  for (const LayerRecord& layer : result.layers) by_action[layer.action].push_back(layer.detail);
  return by_action;
}

TEST(StaticBodies, LayersOfABranchThatRanAreQuantized) {
  const Model model = branches();
  Model after = model.clone();
  const PassResult r = quantized(after);
  EXPECT_EQ(r.done, 4);  // outside three, inside one of three
  EXPECT_EQ(r.eligible, 6);
  EXPECT_THAT(reasons(r).at("skipped"),
              testing::ElementsAre(HasSubstr("did not run"), HasSubstr("did not run")));
  EXPECT_GT(snr(model, after), 30);
  Model other = model.clone();
  quantized(other, "qdq", "generic", false);
  EXPECT_GT(snr(model, other, false), 30);
}

TEST(StaticBodies, EveryIntegerKernelFindsItsCodesInItsOwnGraph) {
  for (const auto& make : {branches, rounds, steps}) {
    Model model = make();
    quantized(model);
    std::int64_t layers = 0, from_outside = 0;
    for (const Node* node : model.node_list()) {
      const bool layer = node->is("Conv") || node->is("MatMul") || node->is("Gemm");
      const Node* stored = layer ? node->input(1)->producer() : nullptr;
      if (!stored || !stored->is("DequantizeLinear")) continue;
      ++layers;
      const Node& decode = *node->input(0)->producer();
      EXPECT_EQ(&decode.graph(), &node->graph()) << node->label();
      from_outside += &decode.input(0)->graph() != &node->graph();
      EXPECT_TRUE(decode.is("DequantizeLinear")) << node->label();
      EXPECT_EQ(&stored->graph(), &node->graph()) << node->label();
      EXPECT_EQ(constant_of(*stored->input(0))->dtype, DType::kInt8);
    }
    EXPECT_GT(layers, 1);
    EXPECT_EQ(from_outside, make == branches ? 1 : 0);
  }
}

TEST(StaticBodies, RoundsOfALoopAreSeenAndQuantized) {
  for (const auto& make : {rounds, steps}) {
    const Model model = make();
    Model after = model.clone();
    const PassResult r = quantized(after);
    EXPECT_EQ(r.skipped, 0);
    EXPECT_EQ(r.done, make == rounds ? 4 : 2);
    EXPECT_GT(snr(model, after), 25) << (make == rounds ? "Loop" : "Scan");
    for (const LayerRecord& layer : r.layers) EXPECT_GE(layer.grids.size(), 2U) << layer.node;
  }
}

TEST(StaticBodies, ValuesOfOneNameInTwoBranchesHaveRangesOfTheirOwn) {
  Net n;
  const V x = n.input("x", {1, 3, 8, 8});
  const V y = n.op("If", {n.input("flag", {}, DType::kBool)});
  for (const char* name : {"then_branch", "else_branch"}) {
    n.body(y, name, [&](Builder& b) {
      const bool first = std::string_view(name) == "then_branch";
      const V middle = b.relu(b.conv_with(x, b.weight({4, 3, 3, 3}, first ? 1 : 10), nullptr));
      b.graph().rename(*middle, "middle");
      b.graph().add_output(*b.conv(middle, 4, 4));
    });
  }
  n.output(y);
  const Model model = n.done();
  Model after = model.clone();
  PassContext context;
  const PassContext::Batches on = batches_of(model, true), off = batches_of(model, false);
  context.batches = [&](const std::function<void(const PassContext::Inputs&)>& visit) {
    on(visit);
    off(visit);
  };
  Quantize q;
  q.mode.set("static");
  q.run(after, context);
  EXPECT_EQ(context.result.done, 4);
  EXPECT_THAT(context.result.notes, Contains(HasSubstr("names of their own")));
  EXPECT_GT(snr(model, after, true), 30);
  EXPECT_GT(snr(model, after, false), 30);
}

TEST(StaticBodies, AGivenRangeIsForAllValuesOfItsName) {
  Model model = branches();
  PassContext context;
  const auto renamed = prepare_static(model, context);
  EXPECT_TRUE(renamed.empty());
  Ranges ranges;
  model.each_graph([&](const Graph& graph) {
    for (const Value* v : graph.values()) ranges[v->name()] = {-8, 8};
  });
  quantize_static(model, ranges, {target_of("generic"), Clip::kMinMax}, context);
  EXPECT_EQ(context.result.done, 6);
  EXPECT_EQ(context.result.skipped, 0);
}

TEST(GptqBodies, LayersAreRoundedByWhatTheyTakeInThere) {
  for (Model (*make)() : {branches, rounds}) {
    const Model before = make();
    Model nearest = before.clone(), rounded = before.clone();
    weights_rounded(nearest, "nearest");
    const PassResult r = weights_rounded(rounded, "gptq");
    EXPECT_GT(snr(before, rounded), snr(before, nearest));
    for (const LayerRecord& layer : r.layers) {
      if (layer.action != "quantized") continue;
      EXPECT_THAT(layer.detail,
                  testing::AnyOf(HasSubstr("output SNR"), HasSubstr("not reached by the data")));
    }
  }
}

TEST(StaticBodiesReferee, OnnxRuntimeComputesTheSame) {
  REQUIRE_REFEREE();
  for (const auto& make : {branches, rounds, steps}) {
    for (const char* format : {"qdq", "qoperator"}) {
      for (const char* target : {"generic", "ort-cpu"}) {
        SCOPED_TRACE(std::string(format) + " " + target);
        const Model model = make();
        Model after = model.clone();
        quantized(after, format, target);
        const auto d = judge::difference(model, after, {.samples = 4});
        EXPECT_EQ(d.error, "");
        EXPECT_TRUE(d.finite);
        EXPECT_GT(d.sqnr_db, 20);
      }
    }
  }
}

}  // namespace
}  // namespace compressor::quantize

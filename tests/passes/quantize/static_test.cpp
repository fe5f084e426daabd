// static_test: ranges in, QuantizeLinear and DequantizeLinear out; what shares a scale, what stays in float.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "builder.h"
#include "compressor/base/error.h"
#include "compressor/base/random.h"
#include "compressor/codec/storage.h"
#include "passes/quantize/pairs.h"
#include "passes/quantize/residual.h"
#include "passes/quantize/static_run.h"
#include "referee.h"

namespace compressor::quantize {
namespace {

using build::attr;
using build::Net;
using build::residual;
using build::V;
using testing::HasSubstr;

StaticOptions options_for(const std::string& target) {
  return {target_of(target), Clip::kMinMax};
}

PassResult run(Model& model, const std::string& target = "generic",
               const std::vector<std::string>& exclude = {}) {
  return run_with(model, target_of(target), exclude);
}

std::int64_t count(const Model& model, std::string_view op) {
  return std::count_if(model.graph->nodes().begin(), model.graph->nodes().end(),
                       [&](const Node& n) { return n.is(op); });
}

/// The scale of the pair of nodes in front of input `index` of the nth node of a kind.
float scale_before(const Model& model, std::string_view op, std::size_t nth, std::size_t index) {
  for (const Node& node : model.graph->nodes()) {
    if (!node.is(op) || nth-- > 0) continue;
    const Node* dq = node.input(index)->producer();
    if (!dq || !dq->is("DequantizeLinear")) return -1;
    return to_floats(*constant_of(*dq->input(1)))[0];
  }
  return -2;
}

TEST(Static, ConvolutionsAreWrappedAndNormsFolded) {
  Model model = residual();
  const PassResult r = run(model);
  EXPECT_EQ(r.done, 4);
  EXPECT_EQ(count(model, "BatchNormalization"), 0);
  // Between a convolution and its Relu nothing is rounded.
  for (const Node& node : model.graph->nodes()) {
    if (!node.is("Conv")) continue;
    EXPECT_TRUE(node.input(0)->producer()->is("DequantizeLinear"));
    EXPECT_TRUE(node.input(1)->producer()->is("DequantizeLinear"));
    const Node& reader = *node.output(0)->uses()[0].node;
    EXPECT_TRUE(reader.is("Relu") || reader.is("QuantizeLinear")) << reader.op();
  }
  EXPECT_THAT(r.layers[0].detail, HasSubstr("int8, 8 scales"));
}

TEST(Static, WeightsMadeOfConstantsAreWeights) {
  Net n;
  const V filters = n.op("Reshape", {n.mul(n.weight({4, 27}), n.number(2)), n.ints({4, 3, 3, 3})});
  const V x = n.relu(n.conv_with(n.input("x", {1, 3, 8, 8}), filters, nullptr));
  n.output(n.matmul(n.gap(x), n.transpose(n.weight({5, 4}), {1, 0})));
  Model model = n.done();
  const PassResult r = run(model);
  EXPECT_EQ(r.done, 2);
  for (const char* op : {"Reshape", "Mul", "Transpose"}) EXPECT_EQ(count(model, op), 0) << op;
}

TEST(Static, WeightsThatCallersMightReplaceAreWeights) {
  Model model = residual();
  model.ir_version = 8;
  std::int64_t opened = 0;
  const std::vector<const Value*> weights(model.graph->initializers().begin(),
                                          model.graph->initializers().end());
  for (const Value* w : weights) {
    const Tensor t = *w->initializer();
    model.graph->add_input(w->name(), Type::tensor(t.dtype, t.shape));
    ++opened;
  }
  const PassResult r = run(model);
  EXPECT_EQ(r.done, 4);
  EXPECT_EQ(model.graph->inputs().size(), 1U);
  EXPECT_THAT(r.notes, testing::Contains(HasSubstr(std::to_string(opened) + " of the weights were inputs")));
}

TEST(Static, WeightsAndBiasesHaveTheirScales) {
  Model model = residual();
  run(model);
  for (const Node& node : model.graph->nodes()) {
    if (!node.is("Conv") || !node.input(2)) continue;
    const auto w = codec::lift(*node.input(1));
    ASSERT_TRUE(w);
    EXPECT_EQ(w->code, DType::kInt8);
    const Node& bias = *node.input(2)->producer();
    ASSERT_TRUE(bias.is("DequantizeLinear"));
    EXPECT_EQ(constant_of(*bias.input(0))->dtype, DType::kInt32);
    const float x = to_floats(*constant_of(*node.input(0)->producer()->input(1)))[0];
    const std::vector<float> s = to_floats(*constant_of(*bias.input(1)));
    for (std::size_t c = 0; c < s.size(); ++c) EXPECT_FLOAT_EQ(s[c], x * w->scale[c]);
  }
}

TEST(Static, SafeTargetsHaveNoPairThatSaturates) {
  for (const char* target : {"generic", "ort-cpu-avx2"}) {
    Model model = residual();
    run(model, target);
    for (const Node& node : model.graph->nodes()) {
      if (!node.is("Conv")) continue;
      const auto w = codec::lift(*node.input(1));
      const BytesView codes = w->codes.view();
      const std::size_t row = codes.size() / w->scale.size();
      const auto positions = static_cast<std::size_t>(w->shape[2] * w->shape[3]);
      for (std::size_t c = 0; c < w->scale.size(); ++c) {
        std::vector<std::int32_t> channel;
        for (std::size_t i = 0; i < row; ++i)
          channel.push_back(static_cast<std::int8_t>(codes.bytes()[c * row + i]));
        EXPECT_LE(255 * quantize::largest_pair(channel, positions), 32767);
      }
    }
  }
}

TEST(Static, NodesThatShareABiasKeepNamesApart) {
  Net n;
  const V x = n.input("x", {1, 4, 8, 8}), b = n.weight({4}), shift = n.weight({1, 4, 1, 1});
  V y = x;
  for (int i = 0; i < 3; ++i) {
    y = n.op("Conv", {y, n.weight({4, 4, 1, 1}), b});
    y = n.add(y, shift);
  }
  n.output(n.conv(y, 4, 2, {.kernel = 1, .pad = 0}));
  Model model = n.done();
  run(model);
  std::map<std::string, int> names;
  for (const Node& node : model.graph->nodes()) {
    if (node.name().empty()) continue;
    EXPECT_EQ(++names[node.name()], 1) << node.name();
  }
}

TEST(Static, AWeightThatSeveralReadIsStoredOnce) {
  Net n;
  const V x = n.input("x", {1, 4, 8, 8}), w = n.weight({4, 4, 3, 3}), small = n.weight({4, 4, 1, 1}, 1e-12);
  V y = x;
  for (int i = 0; i < 3; ++i) y = n.op("Conv", {y, w}, {attr("pads", build::Ints{1, 1, 1, 1})});
  y = n.op("Conv", {y, small, n.weight({4}, 1)});  // each needs a scale of its own for its bias
  y = n.op("Conv", {y, small, n.weight({4}, 10)});
  n.output(y);
  Model model = n.done();
  const PassResult r = run(model);
  EXPECT_EQ(r.done, 5);
  std::set<const Value*> codes, decoded;
  for (const Node& node : model.graph->nodes()) {
    if (!node.is("Conv")) continue;
    decoded.insert(node.input(1));  // kernels are found behind a decoder that nothing else reads
    codes.insert(node.input(1)->producer()->input(0));
  }
  EXPECT_EQ(decoded.size(), 5U);
  EXPECT_EQ(codes.size(), 3U);
}

/// As some exporters write them; what was read in float is not carried along beside its codes.
TEST(Static, WeightsInConstantNodesGo) {
  Net n;
  const V x = n.input("x", {1, 4, 8, 8});
  const auto node = [&](const Dims& dims) {
    const V stored = n.weight(dims);
    const V made = n.op("Constant", {}, {attr("value", *stored->initializer())});
    n.graph().erase_initializer(*stored);
    return made;
  };
  V y = n.op("Conv", {x, node({4, 4, 3, 3}), node({4})}, {attr("pads", build::Ints{1, 1, 1, 1})});
  n.output(n.op("Conv", {n.op("Mul", {y, node({4, 1, 1})}), node({2, 4, 1, 1})}));
  Model model = n.done();
  const PassResult r = run(model);
  EXPECT_GE(r.done, 2);
  for (const Node& left : model.graph->nodes()) EXPECT_FALSE(left.is("Constant")) << left.output(0)->name();
}

TEST(Static, WeightsWithoutAnIntegerKernelAreSaidToStay) {
  Net n;
  const V x = n.input("x", {5, 2, 4});
  const V y =
      n.op("GRU", {x, n.weight({1, 9, 4}), n.weight({1, 9, 3})}, {attr("hidden_size", std::int64_t{3})});
  n.output(n.matmul(y, n.weight({3, 2})));
  Model model = n.done();
  const PassResult r = run(model);
  EXPECT_EQ(r.eligible, 2);
  EXPECT_EQ(r.skipped, 1);
  const auto said =
      std::find_if(r.layers.begin(), r.layers.end(), [](const LayerRecord& l) { return l.op == "GRU"; });
  ASSERT_NE(said, r.layers.end());
  EXPECT_THAT(said->detail, HasSubstr("no integer kernel that target generic knows of"));
}

TEST(Static, WhatPassesOnSharesItsScale) {
  Net n;
  const V x = n.input("x", {1, 4, 8, 8});
  const V a = n.relu(n.conv(x, 4, 4)), b = n.conv(x, 4, 4);
  V y = n.concat({a, b});
  y = n.op("MaxPool", {y},
           {attr("kernel_shape", build::Ints{2, 2})});  // a range of its own would be narrower
  n.output(n.linear(n.op("Flatten", {n.conv(y, 8, 2, {.kernel = 7, .pad = 0})}), 2, 3));
  Model model = n.done();
  run(model);
  const float in = scale_before(model, "Concat", 0, 0);
  EXPECT_FLOAT_EQ(in, 16.0F / 255);  // of [-8, 8], although a alone is [0, 8]
  EXPECT_EQ(scale_before(model, "Concat", 0, 1), in);
  EXPECT_EQ(scale_before(model, "MaxPool", 0, 0), in);
  EXPECT_EQ(scale_before(model, "Conv", 2, 0), in);
}

// conv -> x x -> mean -> out: the square leads to no integer kernel and would only round. The same square in
// front of another convolution is computed in codes.
TEST(Static, WhatLeadsToNoIntegerKernelStaysInFloat) {
  const auto network = [](bool goes_on) {
    Net net;
    V x = net.conv(net.input("x", {1, 4, 8, 8}), 4, 8);
    V square = net.op("Mul", {x, x});
    if (goes_on) square = net.conv(square, 8, 4);
    net.output(net.op("GlobalAveragePool", {square}));
    return net.done();
  };
  const auto reads_codes = [](const Model& model) {
    for (const Node& node : model.graph->nodes()) {
      if (!node.is("Mul")) continue;
      const Value& square = *node.output(0);
      return std::any_of(square.uses().begin(), square.uses().end(),
                         [](const Use& use) { return use.node && use.node->is("QuantizeLinear"); });
    }
    return false;
  };
  Model end = network(false);
  run(end);
  EXPECT_FALSE(reads_codes(end));
  EXPECT_EQ(count(end, "QuantizeLinear"), 2) << "what the convolution reads and gives";
  Model inner = network(true);
  run(inner);
  EXPECT_TRUE(reads_codes(inner));
}

TEST(Static, WhatIsLeftOutStaysInFloatWithAReason) {
  Model model = residual();
  const PassResult r = run(model, "generic", {"op:Gemm"});
  EXPECT_EQ(r.done, 3);
  ASSERT_EQ(r.skipped, 1);
  EXPECT_THAT(r.layers[0].detail, HasSubstr("left out"));
  for (const Node& node : model.graph->nodes()) {
    const bool whole = !node.is("Gemm") || node.input(1)->initializer();
    EXPECT_TRUE(whole) << node.op();
  }
}

TEST(Static, WithoutRangesNothingIsDone) {
  Model model = residual();
  PassContext context;
  prepare_static(model, context);
  EXPECT_THROW(quantize_static(model, {}, options_for("generic"), context), Error);
}

TEST(Static, ObservedValuesAreThoseThatGetScales) {
  Model model = residual();
  PassContext context;
  prepare_static(model, context);
  const auto names = values_to_observe(model, options_for("generic"), context);
  Ranges ranges;
  for (const std::string& name : names) ranges[name] = {-1, 1};
  PassContext again;
  quantize_static(model, ranges, options_for("generic"), again);
  EXPECT_EQ(again.result.done, 4);
  EXPECT_EQ(again.result.skipped, 0);
  // All of it: the sum, whose own value between it and its Relu is none of them, and what follows.
  EXPECT_EQ(count(model, "QuantizeLinear"), static_cast<std::int64_t>(names.size()));
}

TEST(Static, ATinyWeightWithALargeBiasFits32Bits) {
  Net n;
  const std::vector<float> w = {1e-9F, 1e-9F, 1, -1};
  const std::vector<float> b = {100, 1};
  const V x = n.input("x", {1, 2, 2, 2});
  n.output(n.conv_with(x, n.constant(Tensor::of({2, 2, 1, 1}, std::span(w))),
                       n.constant(Tensor::of({2}, std::span(b))), {.kernel = 1}));
  Model model = n.done();
  run(model);
  for (const Node& node : model.graph->nodes()) {
    if (!node.is("Conv")) continue;
    const Node& bias = *node.input(2)->producer();
    const std::vector<double> q = to_doubles(*constant_of(*bias.input(0)));
    const std::vector<float> s = to_floats(*constant_of(*bias.input(1)));
    EXPECT_LT(std::abs(q[0]), 2147483647.0);
    EXPECT_NEAR(q[0] * static_cast<double>(s[0]), 100, 1e-4);
  }
}

TEST(Ranges, FilesAreReadAndBadOnesNamed) {
  const judge::TempFolder folder;
  const auto file = [&](const std::string& text) {
    std::ofstream(folder.file("r.json")) << text;
    return folder.file("r.json");
  };
  const Ranges r = read_ranges(file("{\"x\": [-1, 2.5], \"y\": [0, 0]}"));
  EXPECT_EQ(r.at("x").low, -1);
  EXPECT_EQ(r.at("x").high, 2.5F);
  for (const char* bad :
       {"[1, 2]", "{\"x\": [2, 1]}", "{\"x\": [1]}", "{\"x\": [0, .inf]}", "{\"x\": \"no\"}", "{"})
    EXPECT_THROW(read_ranges(file(bad)), Error) << bad;
  EXPECT_THROW(read_ranges(folder.file("none")), Error);
}

}  // namespace
}  // namespace compressor::quantize

// qoperator_test: pairs of QuantizeLinear and DequantizeLinear before, integer operators after, and the same
// numbers up to one code in ONNX Runtime and here.
#include "passes/quantize/integer/qoperator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "builder.h"
#include "compressor/base/random.h"
#include "compressor/engine/executor.h"
#include "passes/quantize/integer/static_qdq.h"
#include "passes/quantize/residual.h"
#include "referee.h"

namespace compressor::quantize {
namespace {

using build::attr;
using build::Net;
using build::residual;
using build::V;
using testing::HasSubstr;

Ranges ranges_of(const Model& model) {
  Ranges ranges;
  for (const Value* v : model.graph->values()) {
    const bool positive = v->producer() && (v->producer()->is("Relu") || v->producer()->is("Sigmoid"));
    ranges[v->name()] = positive ? ValueRange{0, 4} : ValueRange{-4, 4};
  }
  return ranges;
}

struct Pair {
  Model qdq, qoperator;
  PassResult result;
};

Pair both(Model model, const std::string& target, const Ranges* given = nullptr) {
  PassContext context;
  prepare_static(model, context);
  quantize_static(model, given ? *given : ranges_of(model), {target_of(target), Clip::kMinMax}, context);
  Model kept = model.clone();
  Pair p{.qdq = std::move(kept), .qoperator = std::move(model), .result = {}};
  to_qoperator(p.qoperator, target_of(target), context);
  p.qoperator.verify();
  p.result = std::move(context.result);
  return p;
}

std::int64_t count(const Model& model, std::string_view op) {
  return std::count_if(model.graph->nodes().begin(), model.graph->nodes().end(),
                       [&](const Node& n) { return n.op() == op; });
}

/// Root of the mean squared difference of the outputs here, as a share of their root mean square. Where two
/// kernels round a tie apart, later layers carry that on.
double difference_here(const Model& a, const Model& b) {
  Random random(5);
  Executor::Feeds feeds;
  for (const Value* v : a.graph->inputs()) {
    Dims shape;
    for (const Dim& d : v->type().dims) shape.push_back(d.value);
    std::vector<float> values(num_elements(shape));
    for (float& x : values) x = static_cast<float>(random.normal());
    feeds[v->name()] = Tensor::of(shape, std::span<const float>(values));
  }
  double signal = 1e-12, noise = 0;
  const auto ya = Executor(a).run(feeds), yb = Executor(b).run(feeds);
  for (std::size_t i = 0; i < ya.size(); ++i) {
    const std::vector<double> p = to_doubles(ops::plain(ya[i])), q = to_doubles(ops::plain(yb[i]));
    EXPECT_EQ(p.size(), q.size());
    for (std::size_t k = 0; k < p.size(); ++k) {
      signal += p[k] * p[k];
      noise += (p[k] - q[k]) * (p[k] - q[k]);
    }
  }
  return std::sqrt(noise / signal);
}

TEST(QOperator, AResidualNetworkIsAllIntegers) {
  const Pair p = both(residual(), "ort-cpu");
  EXPECT_EQ(count(p.qoperator, "QLinearConv"), 3);
  EXPECT_EQ(count(p.qoperator, "QLinearAdd"), 1);
  EXPECT_EQ(count(p.qoperator, "QGemm"), 1);
  EXPECT_EQ(count(p.qoperator, "MaxPool"), 1);
  EXPECT_EQ(count(p.qoperator, "QuantizeLinear"), 1) << "the input";
  EXPECT_EQ(count(p.qoperator, "DequantizeLinear"), 0);
  EXPECT_EQ(count(p.qoperator, "Relu"), 0);
  EXPECT_LT(difference_here(p.qdq, p.qoperator), 0.02);
}

TEST(QOperator, TheGenericTargetStaysInOnnxItself) {
  const Pair p = both(residual(), "generic");
  for (const Node& node : p.qoperator.graph->nodes()) EXPECT_EQ(node.domain(), "") << node.op();
  EXPECT_EQ(count(p.qoperator, "QLinearConv"), 3);
  EXPECT_EQ(count(p.qoperator, "Add"), 1) << "between its pairs";
  EXPECT_THAT(testing::PrintToString(p.result.notes), HasSubstr("1 Add has no operator on codes in ai.onnx"));
}

TEST(QOperator, ReluClipsCodesWhereTheLowestIsNotZero) {
  Net n;
  const V x = n.input("x", {1, 3, 6, 6});
  const V a = n.relu(n.conv(x, 3, 4, {.bias = true})), b = n.conv(x, 3, 4);
  n.output(n.conv(n.concat({a, b}), 8, 3));  // the two share a scale, which holds negative numbers
  const Pair p = both(n.done(), "ort-cpu");
  EXPECT_EQ(count(p.qoperator, "Relu"), 0);
  EXPECT_EQ(count(p.qoperator, "Clip"), 1);
  EXPECT_EQ(count(p.qoperator, "Concat"), 1) << "of one scale: no arithmetic";
  EXPECT_LT(difference_here(p.qdq, p.qoperator), 0.02);
}

TEST(QOperator, WhatOthersReadInFloatKeepsItsPair) {
  Net n;
  const V y = n.relu(n.conv(n.input("x", {1, 3, 6, 6}), 3, 4));
  n.output(n.conv(y, 4, 2));
  n.output(n.op("Exp", {y}));
  const Pair p = both(n.done(), "ort-cpu");
  EXPECT_EQ(count(p.qoperator, "QLinearConv"), 2);
  EXPECT_EQ(count(p.qoperator, "DequantizeLinear"), 2) << "in front of Exp and at the end";
  EXPECT_LT(difference_here(p.qdq, p.qoperator), 0.02);
}

Model many() {
  Net n;
  const V x = n.input("x", {1, 4, 8, 8});
  V y = n.op("LeakyRelu", {n.conv(x, 4, 8)}, {attr("alpha", 0.1F)});
  y = n.mul(y, n.op("Sigmoid", {n.conv(x, 4, 8)}));
  y = n.op("AveragePool", {y}, {attr("kernel_shape", build::Ints{2, 2}), attr("strides", build::Ints{2, 2})});
  y = n.concat({y, n.conv(y, 8, 8)});
  y = n.op("Transpose", {n.conv(y, 16, 6)}, {attr("perm", build::Ints{0, 2, 3, 1})});
  const V left = n.op("Reshape", {y, n.ints({1, 16, 6})});
  const V right = n.op("Transpose", {left}, {attr("perm", build::Ints{0, 2, 1})});
  const V scores = n.op("MatMul", {left, right});
  n.output(n.op("MatMul", {n.op("MatMul", {scores, left}), n.weight({6, 5})}));
  return n.done();
}

TEST(QOperator, EveryKindOfOperatorHasItsForm) {
  const Pair p = both(many(), "ort-cpu");
  for (const char* op : {"QLinearLeakyRelu", "QLinearSigmoid", "QLinearMul", "QLinearAveragePool",
                         "QLinearMatMul", "MatMulIntegerToFloat"})
    EXPECT_GE(count(p.qoperator, op), 1) << op;
  EXPECT_EQ(count(p.qoperator, "DequantizeLinear"), 0);
  EXPECT_LT(difference_here(p.qdq, p.qoperator), 0.05);
}

TEST(QOperatorReferee, ComputesTheSameInOnnxRuntime) {
  REQUIRE_REFEREE();
  const std::vector<std::pair<const char*, Model (*)()>> nets = {{"residual", residual}, {"many", many}};
  for (const auto& [name, make] : nets) {
    for (const char* target : {"generic", "ort-cpu", "ort-cpu-avx2"}) {
      const Pair p = both(make(), target);
      const judge::Difference d = judge::difference(p.qdq, p.qoperator);
      EXPECT_EQ(d.error, "") << name << ", " << target;
      EXPECT_LT(d.max_rel, 0.05) << name << ", " << target;
    }
  }
}

}  // namespace
}  // namespace compressor::quantize

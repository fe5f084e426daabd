// rest: weights of layers that no integer kernel takes, stored as codes all the same.
#include "passes/quantize/rest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "builder.h"
#include "compressor/base/error.h"
#include "compressor/codec/storage.h"
#include "compressor/passes/quantize.h"
#include "passes/quantize/static_run.h"
#include "referee.h"

namespace compressor::quantize {
namespace {

using build::attr;
using build::Net;
using build::V;
using testing::HasSubstr;

/// x -> Conv -> Relu -> ConvTranspose -> Conv: the second has no integer kernel in ONNX Runtime.
Model with_deconvolution() {
  Net n(7);
  const V x = n.relu(n.conv(n.input("x", {1, 4, 6, 6}), 4, 16));
  n.output(n.conv(n.relu(n.conv_transpose(x, 16, 16)), 16, 4));
  return n.done();
}

PassResult static_and_rest(Model& model, const std::vector<std::string>& exclude = {}) {
  PassContext context;
  context.filter = NodeFilter({}, exclude);
  prepare_static(model, context);
  quantize_static(model, wide_ranges(model), {target_of("generic"), Clip::kMinMax}, context);
  store_rest(model, context);
  model.verify();
  return std::move(context.result);
}

const Node& only(const Model& model, std::string_view op) {
  const auto& nodes = model.graph->nodes();
  return *std::find_if(nodes.begin(), nodes.end(), [&](const Node& n) { return n.is(op); });
}

TEST(Rest, WhatStaysInFloatIsStoredInCodes) {
  Model model = with_deconvolution();
  const PassResult r = static_and_rest(model);
  EXPECT_EQ(r.done, 2);
  EXPECT_EQ(r.skipped, 1) << "it still is computed in float";
  const auto grid = codec::lift(*only(model, "ConvTranspose").input(1));
  ASSERT_TRUE(grid);
  EXPECT_EQ(grid->code, DType::kInt8);
  EXPECT_EQ(grid->scale.size(), 16U) << "a scale for every output channel";
  const auto stored = std::find_if(r.layers.begin(), r.layers.end(),
                                   [](const LayerRecord& l) { return l.action == "stored"; });
  ASSERT_NE(stored, r.layers.end());
  EXPECT_EQ(stored->op, "ConvTranspose");
  ASSERT_EQ(stored->grids.size(), 1U);
  EXPECT_GT(stored->grids[0].snr_db.value_or(0), 35);
  EXPECT_THAT(r.notes, testing::Contains(HasSubstr("1 stored as int8")));
}

TEST(Rest, WhatTheUserLeavesOutStaysAsItIs) {
  Model model = with_deconvolution();
  const PassResult r = static_and_rest(model, {"op:ConvTranspose"});
  EXPECT_TRUE(only(model, "ConvTranspose").input(1)->initializer());
  for (const LayerRecord& l : r.layers) EXPECT_NE(l.action, "stored") << l.node;
}

TEST(Rest, NothingIsSaidWhereNothingIsLeft) {
  Net n;
  n.output(n.conv(n.input("x", {1, 4, 6, 6}), 4, 16));
  Model model = n.done();
  const PassResult r = static_and_rest(model);
  for (const std::string& note : r.notes) EXPECT_THAT(note, testing::Not(HasSubstr("stay in float")));
}

TEST(Rest, TheOptionLeavesFloats) {
  for (const char* rest : {"int8", "float"}) {
    Net n(7);
    const V x = n.input("x", {2, 6, 32});
    const V y = n.ops("GRU", {x, n.weight({1, 96, 32}), n.weight({1, 96, 32})}, 1,
                      {attr("hidden_size", std::int64_t{32})})[0];
    n.output(n.matmul(n.op("Squeeze", {y, n.ints({1})}), n.weight({32, 32})));
    Model model = n.done();
    Quantize pass;
    pass.mode.parse("dynamic");
    pass.rest.parse(rest);
    PassContext context;
    pass.run(model, context);
    model.verify();
    EXPECT_EQ(only(model, "GRU").input(1)->initializer() == nullptr, std::string(rest) == "int8");
    EXPECT_EQ(only(model, "GRU").input(2)->initializer() == nullptr, std::string(rest) == "int8");
  }
}

TEST(Rest, WeightsAloneHaveNoRest) {
  Quantize pass;
  pass.mode.parse("weight-only");
  pass.rest.parse("float");
  EXPECT_THROW(pass.check(), Error);
}

TEST(RestReferee, DecodersAreFoldedAway) {
  REQUIRE_REFEREE();
  const Model before = with_deconvolution();
  Model after = before.clone();
  static_and_rest(after);
  const judge::Difference d = judge::difference(before, after);
  EXPECT_EQ(d.error, "");
  EXPECT_GT(d.sqnr_db, 10) << "ranges are wide";
  const judge::OpCounts ops = judge::optimized_ops(after);
  EXPECT_EQ(ops.of("ConvTranspose"), 1) << ops;
  EXPECT_EQ(ops.of("Cast"), 0) << ops;
  EXPECT_EQ(ops.of("Mul"), 0) << ops;
}

}  // namespace
}  // namespace compressor::quantize

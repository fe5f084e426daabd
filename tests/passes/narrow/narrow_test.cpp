// narrow_test: float32 before, float16 after, with casts where the two meet.
#include "compressor/passes/narrow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder.h"
#include "compressor/onnx/load.h"
#include "compressor/ops/facts.h"
#include "referee.h"

namespace compressor {
namespace {

using build::Net;
using build::V;
using testing::HasSubstr;

Model small() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  x = n.resize2(n.conv(x, 8, 8, {.bias = true}));
  x = n.mul(x, n.constant_node(n.weight({1})));
  n.output(n.softmax(n.linear(n.gap(x), 8, 5)));
  return n.done();
}

PassResult run(Model& model, bool keep_io, const std::vector<std::string>& exclude = {}) {
  PassContext context;
  context.filter = NodeFilter({}, exclude);
  narrow_to_half(model, {.keep_io_types = keep_io}, context);
  model.verify();
  return std::move(context.result);
}

std::int64_t count(const Model& model, std::string_view op) {
  std::int64_t n = 0;
  for (const Node& node : model.graph->nodes()) n += node.is(op) ? 1 : 0;
  return n;
}

TEST(Narrow, WeightsAreHalvesAndTheInterfaceFollows) {
  Model model = small();
  run(model, false);
  EXPECT_EQ(count(model, "Cast"), 0);
  EXPECT_EQ(model.graph->inputs()[0]->type().dtype, DType::kFloat16);
  EXPECT_EQ(infer_facts(model).of(*model.graph->outputs()[0]).dtype, DType::kFloat16);
  for (const Value* v : model.graph->initializers()) {
    const bool scales = v->initializer()->size() == 4 && v->initializer()->rank() == 1;  // of Resize
    EXPECT_TRUE(scales || v->uses().empty() || v->initializer()->dtype == DType::kFloat16) << v->name();
  }
}

TEST(Narrow, TheInterfaceStaysWhenAsked) {
  Model model = small();
  const std::string name = model.graph->outputs()[0]->name();
  run(model, true);
  EXPECT_EQ(count(model, "Cast"), 2);
  EXPECT_EQ(model.graph->inputs()[0]->type().dtype, DType::kFloat);
  EXPECT_EQ(model.graph->outputs()[0]->name(), name);
  EXPECT_EQ(infer_facts(model).of(*model.graph->outputs()[0]).dtype, DType::kFloat);
}

TEST(Narrow, WhatIsKeptReadsFloats) {
  Model model = small();
  const PassResult r = run(model, true, {"op:Softmax"});
  EXPECT_EQ(r.skipped, 1);
  EXPECT_EQ(count(model, "Cast"), 2);  // behind the input, in front of Softmax
}

TEST(Narrow, AConstantPastTheRangeKeepsItsReader) {
  Net n;
  n.output(n.relu(n.mul(n.input("x", {4}), n.number(1e6F))));
  Model model = n.done();
  const PassResult r = run(model, true);
  EXPECT_EQ(r.done, 1);
  ASSERT_EQ(r.layers.size(), 1U);
  EXPECT_THAT(r.layers[0].detail, HasSubstr("past the 65504"));
}

// x -> Mul(1000) -> Relu -> Mul(0.001) -> y: what the first gives exceeds float16 where the data is large.
TEST(Narrow, ValuesPastTheRangeOnTheDataKeepTheirNodes) {
  for (const float size : {1.0F, 100.0F}) {
    Net n;
    const V x = n.input("x", {4});
    n.output(n.mul(n.relu(n.mul(x, n.number(1000))), n.number(0.001F)));
    Model model = n.done();
    PassContext context;
    context.batches = [&](const std::function<void(const PassContext::Inputs&)>& visit) {
      const std::vector<float> values{size, -size, 0, size / 2};
      visit({{"x", Tensor::of({4}, std::span<const float>(values))}});
    };
    narrow_to_half(model, {.keep_io_types = true}, context);
    model.verify();
    EXPECT_EQ(context.result.done, size == 1 ? 3 : 0) << size;
    if (size == 1) continue;
    ASSERT_EQ(context.result.layers.size(), 3U);
    EXPECT_THAT(context.result.layers[0].detail, HasSubstr("reaches 100000 on the data"));
    EXPECT_THAT(context.result.layers[2].detail, HasSubstr("reads"));
  }
}

TEST(Narrow, ASingleNumberBelowTheLeastOfFloat16DoesNotBecomeZero) {
  for (const bool node : {false, true}) {
    Net n;
    const V e = n.number(1e-10F);
    n.output(n.op("Log", {n.add(n.relu(n.input("x", {4})), node ? n.constant_node(e) : e)}));
    Model model = n.done();
    const PassResult r = run(model, true);
    EXPECT_THAT(r.notes, testing::Contains(HasSubstr("1 constants are below the least number of float16")));
    for (const Node& add : model.graph->nodes()) {
      if (!add.is("Add")) continue;
      const Tensor half = *constant_of(*add.input(1));
      EXPECT_EQ(half.dtype, DType::kFloat16);
      EXPECT_GT(to_floats(half)[0], 0);
    }
  }
}

TEST(Narrow, OperatorsOfFloat32AndWhatIsBehindUnknownOnesStay) {
  Net n;
  const V x = n.relu(n.op("Celu", {n.input("x", {1, 4})}));
  const Node& odd = n.graph().add_node({.op = "Odd", .inputs = {x}, .outputs = {"odd"}, .domain = "mine"});
  n.output(n.relu(odd.output(0)));
  Model model = n.done();
  model.opsets.push_back({.domain = "mine", .version = 1});
  const PassResult r = run(model, true);
  EXPECT_EQ(r.done, 1) << "the first Relu";
  std::string reasons;
  for (const LayerRecord& layer : r.layers) reasons += layer.op + " " + layer.detail + "; ";
  EXPECT_THAT(reasons, HasSubstr("Celu is an operator that stays in float32"));
  EXPECT_THAT(reasons, HasSubstr("Relu reads 'odd', whose type is not known"));
}

// As exporters write it at opset 11: what is missing is an empty Constant.
TEST(NarrowReferee, ConstantsThatRuntimesLookForStay) {
  REQUIRE_REFEREE();
  Net n;
  const std::vector<float> nothing;
  const auto empty = [&] {
    return n.constant_node(n.constant(Tensor::of({0}, std::span<const float>(nothing))));
  };
  const V x = n.conv(n.input("x", {1, 3, 4, 4}), 3, 3);
  n.output(
      n.op("Resize", {x, empty(), empty(), n.ints({1, 3, 8, 8})},
           {build::attr("mode", "linear"), build::attr("coordinate_transformation_mode", "half_pixel")}));
  const Model before = n.done();
  Model after = before.clone();
  run(after, true);
  const judge::Difference d = judge::difference(before, after);
  EXPECT_EQ(d.error, "");
  EXPECT_LT(d.max_rel, 0.01);
}

TEST(NarrowReferee, AnswersNearly) {
  REQUIRE_REFEREE();
  const Model before = small();
  for (const auto& exclude :
       std::vector<std::vector<std::string>>{{}, {"op:Conv"}, {"op:Resize", "op:Relu"}}) {
    for (const bool keep_io : {true, false}) {
      Model after = before.clone();
      run(after, keep_io, exclude);
      const judge::Difference d = judge::difference(before, after);
      EXPECT_EQ(d.error, "");
      EXPECT_LT(d.max_rel, 0.01);
    }
  }
}

TEST(NarrowLongReferee, RealModelsAnswerNearly) {
  REQUIRE_REFEREE();
  REQUIRE_MODELS();
  for (const std::string& path : judge::real_models()) {
    Model after = load_model(path);
    run(after, true);
    const judge::Check check = judge::check_of(after);
    EXPECT_TRUE(check.loads) << path << " " << check.reply;
  }
}

}  // namespace
}  // namespace compressor

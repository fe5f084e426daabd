// Constants are folded where the file does not grow by it, and what a caller may replace is not constant.
#include "builder.h"
#include "compressor/rewrite/fold.h"
#include "passes/simplify/small_net.h"

namespace compressor::judge {
namespace {

std::vector<Attribute> with(Attribute attribute) {
  std::vector<Attribute> list;
  list.push_back(std::move(attribute));
  return list;
}

TEST(Constants, NodesBecomeInitializers) {
  SmallNet net;
  const std::vector<float> two{1, 2};
  const Value* c = net.add("Constant", {}, with({"value", Tensor::of({2}, std::span(two))}));
  const std::string name = c->name();
  net.output(net.add("Add", {net.input("x", {2}), c}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 1U);
  ASSERT_TRUE(s.graph().find(name));
  EXPECT_TRUE(s.graph().find(name)->initializer());
  Simplify keep;
  keep.keep_constants.set(true);
  EXPECT_EQ(count(simplify(net.model(), keep).graph(), "Constant"), 1U);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(Constants, WeightArithmeticIsFolded) {
  SmallNet net;  // a weight-standardised convolution
  const Value* w = net.weight("w", {4, 3, 3, 3});
  const Value* mean = net.add("ReduceMean", {w}, with({"axes", Attribute::Ints{1, 2, 3}}));
  const Value* centred = net.add("Sub", {w, mean});
  const Value* square = net.add("Mul", {centred, centred});
  const Value* var = net.add("ReduceMean", {square}, with({"axes", Attribute::Ints{1, 2, 3}}));
  const Value* standard = net.add("Div", {centred, net.add("Sqrt", {var})});
  net.output(net.add("Conv", {net.input("x", {1, 3, 8, 8}), standard}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 1U);
  EXPECT_EQ(s.graph().initializers().size(), 1U);
  Model folded = net.model().clone();
  EXPECT_TRUE(fold_weight_constants(folded));
  folded.verify();
  EXPECT_EQ(folded.graph->nodes().size(), 1U);
  EXPECT_FALSE(fold_weight_constants(folded));
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(Constants, WhatACallerMayReplaceIsNotFolded) {
  SmallNet net;
  const Value* w = net.weight("w", {4, 3});
  net.output(net.add("MatMul", {net.input("x", {1, 3}), net.add("Transpose", {w})}));
  EXPECT_EQ(simplify(net.model()).graph().nodes().size(), 1U);
  net.graph().add_input("w", Type::tensor(DType::kFloat, {4, 3}));
  EXPECT_EQ(simplify(net.model()).graph().nodes().size(), 2U);
}

TEST(Constants, StoredWeightsStayStored) {
  SmallNet net;
  const std::vector<double> q(64 * 64, 3);
  const Value* w = net.constant("w", Tensor::of(DType::kInt8, {64, 64}, std::span(q)));
  const Value* real = net.add("DequantizeLinear", {w, net.constant("scale", Tensor::scalar(0.5F))});
  const Value* cast = net.add("Cast", {net.constant("v", Tensor::of(DType::kUint8, {64, 64}, std::span(q)))},
                              with({"to", std::int64_t{1}}));
  net.output(net.add("MatMul", {net.add("MatMul", {net.input("x", {1, 64}), real}), cast}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 4U);
  EXPECT_FALSE(s.result.changed);
}

TEST(Constants, ASharedWeightIsNotCopied) {
  SmallNet net;  // a tied embedding
  const Value* w = net.weight("w", {100, 64});
  const Value* y = net.add("Gather", {w, net.input("ids", {1, 5}, DType::kInt64)});
  net.output(net.add("MatMul", {y, net.add("Transpose", {w})}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 3U);
}

TEST(Constants, ASplitWeightIsFoldedAsOne) {
  SmallNet net;
  const Value* w = net.weight("w", {8, 96});
  const Node& parts =
      net.node("Split", {w, net.ints("sizes", {32, 32, 32})}, 3, with({"axis", std::int64_t{1}}));
  const Value* x = net.input("x", {2, 8});
  for (std::size_t i = 0; i < 3; ++i) net.output(net.add("MatMul", {x, parts.output(i)}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(count(s.graph(), "Split"), 0U);
  EXPECT_EQ(s.graph().initializers().size(), 3U);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(Constants, MadeFromNothingUpToALimit) {
  SmallNet net;
  const Value* zeros = net.add("ConstantOfShape", {net.ints("shape", {50, 50})});
  net.output(net.add("Add", {net.input("x", {50, 50}), zeros}));
  EXPECT_EQ(count(simplify(net.model()).graph(), "ConstantOfShape"), 0U);
  Simplify small;
  small.max_constant_bytes.set(5000);
  EXPECT_EQ(count(simplify(net.model(), small).graph(), "ConstantOfShape"), 1U);
  Model weights = net.model().clone();
  EXPECT_FALSE(fold_weight_constants(weights));
}

/// (w - mean) / deviation of each filter, with constants of its own.
build::V standardised(build::Builder& b, build::V w, const build::Ints& axes) {
  const build::V centred = b.op("Sub", {w, b.op("ReduceMean", {w}, {build::attr("axes", axes)})});
  const build::V variance =
      b.op("ReduceMean", {b.op("Pow", {centred, b.number(2)})}, {build::attr("axes", axes)});
  return b.op("Div", {centred, b.op("Sqrt", {variance})});
}

/// If: both branches standardise the same weight, over these axes.
Model standardised_in_branches(const build::Ints& one, const build::Ints& other) {
  build::Net n;
  const build::V x = n.input("x", {1, 3, 8, 8});
  const build::V flag = n.input("flag", {}, DType::kBool);
  const build::V w = n.weight({64, 3, 3, 3});  // more than a little
  const build::V y = n.op("If", {flag});
  n.body(y, "then_branch", [&](build::Builder& b) {
    b.graph().add_output(*b.relu(b.conv_with(x, standardised(b, w, one), nullptr)));
  });
  n.body(y, "else_branch", [&](build::Builder& b) {
    b.graph().add_output(*b.sigmoid(b.conv_with(x, standardised(b, w, other), nullptr)));
  });
  n.output(y);
  return n.done();
}

/// The bodies hold two nodes each, which read one constant of the graph around them.
void expect_one_constant(const Model& model) {
  EXPECT_EQ(model.graph->nodes().size(), 1U);
  EXPECT_EQ(model.graph->initializers().size(), 1U);
  for (const Graph* body : model.graph->nodes().front().bodies()) {
    EXPECT_EQ(body->nodes().size(), 2U);
    EXPECT_TRUE(body->initializers().empty());
  }
}

TEST(Constants, EqualArithmeticInBothBranchesIsOneConstant) {
  const Model model = standardised_in_branches({1, 2, 3}, {1, 2, 3});
  const Simplified s = simplify(model);
  expect_one_constant(s.after);
  Model folded = model.clone();
  EXPECT_TRUE(fold_weight_constants(folded));
  folded.verify();
  expect_one_constant(folded);
  EXPECT_FALSE(fold_weight_constants(folded));
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(Constants, OtherArithmeticInTheOtherBranchWouldCopyTheWeight) {
  Model model = standardised_in_branches({1, 2, 3}, {0, 2, 3});
  fold_weight_constants(model);  // means are few enough to be kept beside the weight
  for (const Graph* body : model.graph->nodes().front().bodies()) EXPECT_EQ(count(*body, "Div"), 1U);
}

TEST(Constants, EqualArithmeticOfABranchsOutputKeepsItsName) {
  build::Net n;  // both branches give the same constant, one of them as it is
  const build::V w = n.weight({64, 8});
  const build::V x = n.input("x", {2, 64});
  const build::V y = n.op("If", {n.input("flag", {}, DType::kBool)});
  const auto turned = [&](build::Builder& b) { return b.transpose(b.mul(w, b.number(3)), {1, 0}); };
  n.body(y, "then_branch", [&](build::Builder& b) { b.graph().add_output(*turned(b)); });
  n.body(y, "else_branch", [&](build::Builder& b) { b.graph().add_output(*b.op("Neg", {turned(b)})); });
  n.output(n.matmul(y, n.transpose(x, {1, 0})));
  const Model model = n.done();
  const Simplified s = simplify(model);
  EXPECT_LE(s.graph().initializers().size(), 2U);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

/// x -> Shape -> Gather(0) -> Unsqueeze -> Concat(-1) -> the target of a Reshape, as exporters write a
/// flatten.
const Value* exported_flatten(SmallNet& net, const Value* x) {
  const Value* batch =
      net.add("Gather", {net.add("Shape", {x}), net.constant("zero", Tensor::scalar(std::int64_t{0}))},
              with({"axis", std::int64_t{0}}));
  const Value* target =
      net.add("Concat", {net.add("Unsqueeze", {batch, net.ints("axes", {0})}), net.ints("rest", {-1})},
              with({"axis", std::int64_t{0}}));
  return net.add("Reshape", {x, target});
}

TEST(Constants, ShapeArithmeticResolves) {
  SmallNet net;
  net.output(exported_flatten(net, net.input("x", {2, 3, 4})));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 1U);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(Constants, ShapeArithmeticResolvesWithAGivenShape) {
  SmallNet net;
  Type open = Type::tensor(DType::kFloat, {1, 3, 4});
  open.dims[0] = {.value = -1, .param = "batch", .denotation = {}};
  net.output(exported_flatten(net, net.graph().add_input("x", open)));
  EXPECT_EQ(count(simplify(net.model()).graph(), "Shape"), 1U);
  Simplify pass;
  PassContext context;
  context.input_shapes["x"] = {5, 3, 4};
  const Simplified s = simplify(net.model(), pass, context);
  EXPECT_EQ(s.graph().nodes().size(), 1U);
  EXPECT_EQ(s.graph().inputs()[0]->type().dims[0], (Dim{.value = 5, .param = {}, .denotation = {}}));
  context.input_shapes["x"] = {5, 3};
  Model broken = net.model().clone();
  EXPECT_THROW(pass.run(broken, context), Error);
  REQUIRE_REFEREE();
  expect_same_numbers(s, {.shapes = {{"x", {5, 3, 4}}}});
}

/// x [1, n] -> Shape -> n == 8 ? Squeeze of axis 2 : itself, behind a convolution of 8 steps: only 8 numbers
/// make the rank that a recurrence wants.
void squeezed_recurrence(build::Builder& b, build::V x, std::int64_t stride) {
  const build::V y =
      b.op("Conv", {b.unsqueeze(x, {0}), b.weight({4, 1, 8})}, {build::attr("strides", build::Ints{stride})});
  const build::V last = b.gather(b.op("Shape", {y}), b.ints({2}), 0);
  const build::V z = b.op("If", {b.op("Equal", {last, b.ints({1})})});
  b.body(z, "then_branch", [&](build::Builder& c) { c.graph().add_output(*c.squeeze(y, {2})); });
  b.body(z, "else_branch", [&](build::Builder& c) { c.graph().add_output(*c.op("Identity", {y})); });
  const build::V row = b.unsqueeze(z, {0});  // [1, 1, 4] of a recurrence, or one axis too many
  const auto out = b.ops("GRU", {row, b.weight({1, 9, 4}), b.weight({1, 9, 3})}, 1,
                         {build::attr("hidden_size", std::int64_t{3})});
  b.graph().add_output(*out[0]);
}

TEST(Constants, ABranchThatTheGivenShapeBreaksGivesWayToTheOther) {
  build::Net n;
  Type open = Type::tensor(DType::kFloat, {1, 8});
  open.dims[1] = {.value = -1, .param = "n", .denotation = {}};
  const build::V x = n.graph().add_input("x", open);
  const build::V y = n.op("If", {n.input("flag", {}, DType::kBool)});
  n.body(y, "then_branch", [&](build::Builder& b) { squeezed_recurrence(b, x, 1); });
  n.body(y, "else_branch", [&](build::Builder& b) { squeezed_recurrence(b, x, 8); });
  n.output(y);
  Model model = n.done();
  PassContext context;
  context.input_shapes["x"] = {1, 12};  // the first would see five steps
  Simplify pass;
  const Simplified s = simplify(model, pass, context);
  EXPECT_EQ(count(s.graph(), "If"), 0U);
  EXPECT_EQ(count(s.graph(), "GRU"), 1U);
  ASSERT_EQ(s.result.warnings.size(), 1U);
  EXPECT_NE(s.result.warnings[0].find("its then_branch cannot run"), std::string::npos)
      << s.result.warnings[0];
  // With a shape that goes through neither, there is nothing to write.
  context.input_shapes["x"] = {1, 24};
  Model broken = model.clone();
  EXPECT_THROW(pass.run(broken, context), Error);
  // With one that goes through both, both stay.
  context.input_shapes["x"] = {1, 8};
  EXPECT_EQ(count(simplify(model, pass, context).graph(), "If"), 1U);
  REQUIRE_REFEREE();
  EXPECT_TRUE(check_of(s.after).loads) << check_of(s.after).reply;
}

}  // namespace
}  // namespace compressor::judge

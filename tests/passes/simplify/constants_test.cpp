// Constants are folded where the file does not grow by it, and what a caller may replace is not constant.
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
  expect_same_numbers(s, {{"shapes", {{"x", {5, 3, 4}}}}});
}

}  // namespace
}  // namespace compressor::judge

// What computes nothing goes; what only looks like it stays.
#include "passes/simplify/small_net.h"

namespace compressor::judge {
namespace {

std::vector<Attribute> with(Attribute attribute) {
  std::vector<Attribute> list;
  list.push_back(std::move(attribute));
  return list;
}

TEST(Drop, NodesThatComputeNothing) {
  SmallNet net(11);
  const Value* x = net.input("x", {2, 3, 4});
  const Value* y = net.add("Relu", {x});
  y = net.add("Identity", {y});
  y = net.add("Dropout", {y});
  y = net.add("Cast", {y}, with({"to", std::int64_t{1}}));
  y = net.add("Reshape", {y, net.ints("shape", {2, -1, 4})});
  y = net.add("Transpose", {y}, with({"perm", Attribute::Ints{0, 1, 2}}));
  y = net.add("Slice", {y, net.ints("from", {0}), net.ints("to", {1000}), net.ints("axis", {1})});
  y = net.add("Pad", {y, net.ints("pads", {0, 0, 0, 0, 0, 0})});
  y = net.add("Concat", {y}, with({"axis", std::int64_t{1}}));
  y = net.add("Expand", {y, net.ints("ones", {1, 3, 1})});
  y = net.add("Max", {y});
  net.output(net.add("Tanh", {y}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 2U);
  EXPECT_TRUE(s.graph().initializers().empty());
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(Drop, TheNameOfAnOutputStays) {
  SmallNet net;
  const Value* y = net.add("Identity", {net.add("Relu", {net.input("x", {2})})});
  const std::string name = y->name();
  net.output(y);
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 1U);
  EXPECT_EQ(s.graph().outputs()[0]->name(), name);
}

TEST(Drop, AnIdentityThatNamesTheInterfaceTwiceStays) {
  SmallNet net;
  const Value* x = net.input("x", {2});
  net.output(net.add("Identity", {x}));
  const Value* y = net.add("Relu", {x});
  net.output(y);
  net.output(net.add("Identity", {y}));
  net.output(net.add("Identity", {net.weight("w", {3})}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(count(s.graph(), "Identity"), 3U);
  EXPECT_FALSE(s.result.changed);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(Drop, WhatChangesSomethingStays) {
  SmallNet net(13);
  const Value* x = net.input("x", {4, 4});
  const Value* y = net.add("Transpose", {x});
  y = net.add("Slice", {y, net.ints("from", {-1}), net.ints("to", {-1000}), net.ints("axis", {1}),
                        net.ints("back", {-1})});
  y = net.add("Reshape", {y, net.ints("shape", {2, 8})});
  y = net.add("Pad", {y, net.ints("pads", {0, 1, 0, -1})});
  y = net.add("Cast", {y}, with({"to", std::int64_t{11}}));
  net.output(y, DType::kDouble);
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 5U);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(Drop, DropoutInTrainingStays) {
  SmallNet net(13);
  const std::vector<double> yes{1};
  const Value* train = net.constant("train", Tensor::of(DType::kBool, {}, std::span(yes)));
  const Value* y = net.add("Dropout", {net.input("x", {4}), nullptr, train});
  net.output(net.add("Relu", {y}));
  EXPECT_EQ(count(simplify(net.model()).graph(), "Dropout"), 1U);
}

TEST(Drop, ReshapeOfAnOpenShapeGoesOnlyWhenSymbolsAgree) {
  SmallNet net;
  Type open = Type::tensor(DType::kFloat, {1, 6});
  open.dims[0] = {.value = -1, .param = "batch", .denotation = {}};
  const Value* x = net.graph().add_input("x", open);
  const Value* y = net.add("Relu", {net.add("Reshape", {x, net.ints("same", {-1, 6})})});
  net.output(net.add("Reshape", {y, net.ints("other", {-1, 3})}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(count(s.graph(), "Reshape"), 1U);
  REQUIRE_REFEREE();
  expect_same_numbers(s, {.shapes = {{"x", {5, 6}}}});
}

TEST(Drop, OutputsThatNobodyReads) {
  SmallNet net;
  const Node& pool =
      net.node("MaxPool", {net.input("x", {1, 1, 4, 4})}, 2, with({"kernel_shape", Attribute::Ints{2, 2}}));
  net.output(net.add("Relu", {pool.output(0)}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().front().outputs().size(), 1U);
}

TEST(Drop, DeadNodesAndWeightsGoWithTheirBodies) {
  SmallNet net;
  const Value* x = net.input("x", {2});
  net.add("Mul", {net.add("Exp", {x}), net.weight("dead", {2})});
  net.output(net.add("Relu", {x}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 1U);
  EXPECT_TRUE(s.graph().initializers().empty());
  EXPECT_EQ(s.graph().inputs().size(), 1U);
}

TEST(Merge, Transposes) {
  SmallNet net;
  const Value* y =
      net.add("Transpose", {net.input("x", {2, 3, 4})}, with({"perm", Attribute::Ints{1, 2, 0}}));
  y = net.add("Transpose", {y}, with({"perm", Attribute::Ints{0, 2, 1}}));
  net.output(net.add("Relu", {y}));
  const Value* z = net.add("Transpose", {net.input("u", {2, 3})});
  net.output(net.add("Relu", {net.add("Transpose", {z})}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(count(s.graph(), "Transpose"), 1U);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(Merge, Views) {
  SmallNet net;
  const Value* y = net.add("Flatten", {net.input("x", {2, 3, 4})});
  y = net.add("Unsqueeze", {y, net.ints("axes", {0})});
  net.output(net.add("Relu", {y}));
  const Value* z = net.add("Unsqueeze", {net.input("u", {2, 3}), net.ints("one", {1})});
  net.output(net.add("Relu", {net.add("Squeeze", {z, net.ints("again", {1})})}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 3U);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(Merge, ViewsOfAnOpenBatchKeepIt) {
  SmallNet net;
  Type open = Type::tensor(DType::kFloat, {1, 6, 2});
  open.dims[0] = {.value = -1, .param = "batch", .denotation = {}};
  const Value* y = net.add("Flatten", {net.graph().add_input("x", open)});
  y = net.add("Reshape", {y, net.ints("shape", {0, 3, 4})});  // 0 copies the batch from what comes in
  net.output(net.add("Relu", {y}));
  const Simplified s = simplify(net.model());
  REQUIRE_REFEREE();
  expect_same_numbers(s, {.shapes = {{"x", {5, 6, 2}}}});
}

TEST(Merge, EqualSubexpressions) {
  SmallNet net;
  const Value* x = net.input("x", {2, 3});
  const Value* a = net.add("Sigmoid", {net.add("Neg", {x})});
  const Value* b = net.add("Sigmoid", {net.add("Neg", {x})});
  net.output(net.add("Mul", {a, b}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 3U);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(Merge, DifferentOrRandomSubexpressionsStay) {
  SmallNet net;
  const Value* x = net.input("x", {2, 3});
  const Value* a = net.add("LeakyRelu", {x}, with({"alpha", 0.1F}));
  const Value* b = net.add("LeakyRelu", {x}, with({"alpha", 0.2F}));
  const Value* c = net.add("RandomNormalLike", {x});
  const Value* d = net.add("RandomNormalLike", {x});
  net.output(net.add("Add", {net.add("Sub", {a, b}), net.add("Sub", {c, d})}));
  EXPECT_EQ(simplify(net.model()).graph().nodes().size(), 7U);
}

TEST(Merge, EqualWeightsButNotVectors) {
  SmallNet net;
  const std::vector<float> w(16, 0.5F);
  const std::vector<float> b(4, 0.25F);
  const Value* y = net.input("x", {1, 4});
  for (const std::string i : {"1", "2"}) {
    y = net.add("MatMul", {y, net.constant("w" + i, Tensor::of({4, 4}, std::span(w)))});
    y = net.add("Relu", {net.add("Add", {y, net.constant("b" + i, Tensor::of({4}, std::span(b)))})});
  }
  net.output(y);
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().initializers().size(), 3U);
  EXPECT_EQ(s.graph().find("w1")->uses().size(), 2U);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

}  // namespace
}  // namespace compressor::judge

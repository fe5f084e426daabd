// profile_test: what is counted, how often, and what lives at once, on graphs small enough to count by hand.
#include "compressor/analysis/profile.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "compressor/analysis/weights.h"

namespace compressor {
namespace {

NodeSpec spec(const std::string& op, std::vector<const Value*> inputs, const std::string& output) {
  NodeSpec s;
  s.op = op;
  s.inputs = std::move(inputs);
  s.outputs = {output};
  s.name = output;
  return s;
}

Tensor zeros(const Dims& shape) {
  return Tensor::of(shape, std::vector<float>(num_elements(shape)));
}

class ProfileTest : public ::testing::Test {
 protected:
  ProfileTest() {
    model.ir_version = 8;
    model.opsets = {{.domain = "", .version = 17}};
  }
  Graph& g() { return *model.graph; }
  const Value* add(const std::string& op, std::vector<const Value*> inputs, const std::string& output) {
    return g().add_node(spec(op, std::move(inputs), output)).output(0);
  }
  Model model;
};

TEST_F(ProfileTest, AWeightThatTwoNodesReadCountsOnce) {
  const Value* x = g().add_input("x", Type::tensor(DType::kFloat, {2, 4}));
  const Value* w = g().add_initializer("w", zeros({4, 4}));
  const Value* a = add("MatMul", {x, w}, "a");
  g().add_output(*add("MatMul", {a, w}, "b"));
  const Profile p = profile(model);
  EXPECT_EQ(p.totals.params, 16U);
  EXPECT_EQ(p.totals.weight_bytes, 64U);
  EXPECT_DOUBLE_EQ(p.totals.macs, 2.0 * 2 * 4 * 4);
  EXPECT_DOUBLE_EQ(p.totals.flops, 2.0 * 2 * (2 * 4 - 1) * 4);
  ASSERT_EQ(p.layers.size(), 2U);
  EXPECT_EQ(p.layers[0].params, 16U);
  EXPECT_EQ(p.layers[1].params, 0U);
  EXPECT_EQ(p.layers[0].in, "2x4");
}

TEST_F(ProfileTest, WhatIntegerKernelsComputeCountsAsCodes) {
  const Value* x = g().add_input("x", Type::tensor(DType::kFloat, {1, 4, 5, 5}));
  const Value* scale = g().add_initializer("scale", Tensor::of({}, std::vector<float>{0.1F}));
  const Value* zero = g().add_initializer("zero", Tensor::of(DType::kUint8, {}, std::vector<double>{0}));
  const Value* w = g().add_initializer("w", zeros({4, 4, 1, 1}));
  const auto codes = [&](const Value* v, const std::string& name) {
    return add("QuantizeLinear", {v, scale, zero}, name);
  };
  const auto decoded = [&](const Value* v, const std::string& name) {
    return add("DequantizeLinear", {v, scale, zero}, name);
  };
  const Value* conv = add("Conv", {decoded(codes(x, "x8"), "xf"), w}, "conv");
  const Value* y = decoded(codes(add("Relu", {conv}, "relu"), "y8"), "yf");
  g().add_output(*add("Conv", {y, w}, "out"));  // in float: its input is decoded for it
  const Profile p = profile(model);
  std::map<std::string, std::uint64_t> bytes;
  for (const LayerProfile& layer : p.layers) bytes[layer.name] = layer.activation_bytes;
  EXPECT_THAT(bytes, ::testing::UnorderedElementsAre(::testing::Pair("x8", 100), ::testing::Pair("xf", 0),
                                                     ::testing::Pair("conv", 0), ::testing::Pair("relu", 0),
                                                     ::testing::Pair("y8", 100), ::testing::Pair("yf", 400),
                                                     ::testing::Pair("out", 400)));
}

TEST_F(ProfileTest, PackedWeightsCountByTheirNumbers) {
  const Tensor bytes = Tensor::of(DType::kUint8, {6}, std::vector<double>(6, 0));
  const Value* packed = g().add_initializer("packed", bytes);
  const Value* table = g().add_initializer("table", zeros({256, 2}));
  const Value* index = add("Cast", {packed}, "index");
  g().set_attribute(*index->producer(), {"to", std::int64_t{6}});
  add("Gather", {table, index}, "w");
  const Value* plain = g().add_initializer("plain", bytes);
  add("DequantizeLinear", {plain, g().add_initializer("scale", zeros({}))}, "v");
  for (const Weight& w : weights(model)) {
    if (w.value == packed) {
      EXPECT_EQ(w.elements, 12U);
    }
    if (w.value == plain) {
      EXPECT_EQ(w.elements, 6U);
    }
  }
}

TEST_F(ProfileTest, ShapesAndIndicesAreNoParameters) {
  const Value* x = g().add_input("x", Type::tensor(DType::kFloat, {2, 4}));
  const std::vector<std::int64_t> target{4, 2};
  const Value* shape = g().add_initializer("shape", Tensor::of({2}, target));
  const Value* scale = g().add_initializer("scale", zeros({}));
  g().add_output(*add("Mul", {add("Reshape", {x, shape}, "r"), scale}, "y"));
  const Profile p = profile(model);
  EXPECT_EQ(p.totals.params, 1U);
  EXPECT_EQ(p.totals.weight_bytes, 16U + 4U);
}

TEST_F(ProfileTest, GeneratedWeightsCountWhereTheyFeedAWeight) {
  const Value* x = g().add_input("x", Type::tensor(DType::kFloat, {2, 4}));
  const std::vector<std::int64_t> dims{4, 8};
  const Value* shape = g().add_initializer("shape", Tensor::of({2}, dims));
  g().add_output(*add("MatMul", {x, add("ConstantOfShape", {shape}, "w")}, "y"));
  const Profile p = profile(model);
  EXPECT_EQ(p.totals.params, 32U);
  EXPECT_EQ(p.totals.activation_bytes, 2U * 8 * 4) << "the weight is not an activation";
  const auto list = weights(model);
  EXPECT_TRUE(
      std::any_of(list.begin(), list.end(), [](const Weight& w) { return w.generated && w.parameter; }));
}

TEST_F(ProfileTest, PeakIsWhatLivesAtOnce) {
  const Value* x = g().add_input("x", Type::tensor(DType::kFloat, {25}));  // 100 bytes each
  const Value* a = add("Relu", {x}, "a");
  const Value* b = add("Relu", {a}, "b");
  const Value* c = add("Relu", {b}, "c");
  g().add_output(*add("Add", {a, c}, "d"));
  const Profile p = profile(model);
  EXPECT_EQ(p.totals.activation_bytes, 400U);
  EXPECT_EQ(p.totals.peak_activation_bytes, 300U) << "a, b and c; a, c and d";
}

TEST_F(ProfileTest, SymbolsCountAsOneUntilTheyAreGiven) {
  Type type = Type::tensor(DType::kFloat, {1, 4});
  type.dims[0] = Dim{.param = "batch", .denotation = {}};
  const Value* x = g().add_input("x", type);
  const Value* w = g().add_initializer("w", zeros({4, 4}));
  g().add_output(*add("MatMul", {x, w}, "y"));
  const Profile one = profile(model);
  EXPECT_THAT(one.symbols, ::testing::ElementsAre("batch"));
  EXPECT_EQ(one.shape_hint, "x:1x4");
  EXPECT_DOUBLE_EQ(one.totals.macs, 16);
  InferOptions options;
  options.input_shapes["x"] = sym_dims({3, 4});
  const Profile three = profile(model, options);
  EXPECT_TRUE(three.symbols.empty());
  EXPECT_DOUBLE_EQ(three.totals.macs, 48);
}

TEST_F(ProfileTest, TheLargerBranchOfAnIfCounts) {
  const Value* x = g().add_input("x", Type::tensor(DType::kFloat, {1, 4}));
  const Value* condition = g().add_input("condition", Type::tensor(DType::kBool, {}));
  const Value* small = g().add_initializer("small", zeros({4, 2}));
  const Value* square = g().add_initializer("square", zeros({4, 4}));
  const Node& node = g().add_node(spec("If", {condition}, "y"));
  const auto branch = [&](const std::string& name, bool large) {
    auto body = std::make_unique<Graph>(node);
    const Value* in = x;
    if (large) in = body->add_node(spec("MatMul", {x, square}, name + "_large")).output(0);
    body->add_output(*body->add_node(spec("MatMul", {in, small}, name + "_out")).output(0));
    g().set_attribute(node, Attribute(name, std::move(body)));
  };
  branch("then_branch", true);
  branch("else_branch", false);
  g().add_output(*node.output(0));
  const Profile p = profile(model);
  EXPECT_DOUBLE_EQ(p.totals.macs, 4 * 4 + 4 * 2);
  EXPECT_EQ(p.totals.params, 8U + 16U);
  for (const LayerProfile& layer : p.layers) {
    EXPECT_EQ(layer.times, layer.name == "y/else_branch/else_branch_out" ? 0 : 1) << layer.name;
  }
}

TEST_F(ProfileTest, WhatIsNotKnownIsSaid) {
  const Value* x = g().add_input("x", Type::tensor(DType::kFloat, {1, 4}));
  NodeSpec s = spec("Mystery", {x}, "y");
  s.domain = "com.example";
  g().add_output(*g().add_node(std::move(s)).output(0));
  const Profile p = profile(model);
  ASSERT_EQ(p.layers.size(), 1U);
  EXPECT_FALSE(p.layers[0].counted);
  EXPECT_THAT(p.notes, ::testing::Contains(::testing::HasSubstr("Mystery (1)")));
}

}  // namespace
}  // namespace compressor

// upgrade_test: operators as old opsets have them, raised; ONNX Runtime answers the same before and after.
#include "compressor/rewrite/upgrade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "builder.h"
#include "compressor/base/error.h"
#include "compressor/onnx/load.h"
#include "referee.h"

namespace compressor {
namespace {

using build::attr;
using build::Ints;
using build::Net;
using build::V;
using testing::HasSubstr;

struct Case {
  std::string name;
  std::int64_t opset;
  Dims shape;
  std::function<V(Net&, V)> make;
};

build::Setting floats(const std::string& name, std::vector<float> values) {
  // Attributes of floats go through a node of their own type.
  return {name, Tensor::of({static_cast<std::int64_t>(values.size())}, std::span<const float>(values))};
}

/// Replaces a tensor setting by the list of floats that old operators want.
V with_floats(Net& n, V value) {
  const Node& node = *value->producer();
  const Tensor* t = node.tensor("scales");
  n.graph().set_attribute(node, {"scales", Attribute::Floats(to_floats(*t))});
  return value;
}

std::vector<Case> cases() {
  const Dims image{2, 4, 6, 8};
  return {
      {"BatchNormalization 7", 7, image,
       [](Net& n, V x) {
         const V y = n.bn(x, 4);
         n.graph().set_attribute(*y->producer(), {"spatial", std::int64_t{1}});
         return y;
       }},
      {"Upsample 7", 7, image,
       [](Net& n, V x) {
         return with_floats(n,
                            n.op("Upsample", {x}, {floats("scales", {1, 1, 2, 3}), attr("mode", "nearest")}));
       }},
      {"Upsample 9 linear", 9, image,
       [](Net& n, V x) {
         return n.op("Upsample", {x, n.twice()}, {attr("mode", "linear")});
       }},
      {"Upsample 9 nearest", 9, image,
       [](Net& n, V x) {
         return n.op("Upsample", {x, n.twice()}, {attr("mode", "nearest")});
       }},
      {"Resize 10", 10, image,
       [](Net& n, V x) {
         return n.op("Resize", {x, n.twice()}, {attr("mode", "nearest")});
       }},
      {"Slice 9", 9, image,
       [](Net& n, V x) {
         return n.op("Slice", {x},
                     {attr("starts", Ints{1, 0}), attr("ends", Ints{3, -1}), attr("axes", Ints{1, 3})});
       }},
      {"Slice 9 without axes", 9, image,
       [](Net& n, V x) {
         return n.op("Slice", {x}, {attr("starts", Ints{0, 1}), attr("ends", Ints{2, 9})});
       }},
      {"TopK 9", 9, image,
       [](Net& n, V x) {
         return n.ops("TopK", {x}, 2, {attr("k", std::int64_t{3}), attr("axis", std::int64_t{3})})[0];
       }},
      {"Clip 6", 10, image,
       [](Net& n, V x) {
         return n.op("Clip", {x}, {attr("min", 0.0F), attr("max", 0.5F)});
       }},
      {"Clip 6 open", 10, image, [](Net& n, V x) { return n.op("Clip", {x}, {attr("max", 0.5F)}); }},
      {"Pad 2", 10, image,
       [](Net& n, V x) {
         return n.op("Pad", {x}, {attr("pads", Ints{0, 0, 1, 2, 0, 0, 3, 0}), attr("value", 1.5F)});
       }},
      {"Pad 2 reflect", 10, image,
       [](Net& n, V x) {
         return n.op("Pad", {x}, {attr("pads", Ints{0, 0, 1, 2, 0, 0, 3, 0}), attr("mode", "reflect")});
       }},
      {"Dropout 7", 7, image, [](Net& n, V x) { return n.op("Dropout", {x}, {attr("ratio", 0.3F)}); }},
      {"Squeeze 11",
       11,
       {2, 1, 4},
       [](Net& n, V x) { return n.op("Squeeze", {x}, {attr("axes", Ints{1})}); }},
      {"Squeeze 11 of all", 11, {2, 1, 4}, [](Net& n, V x) { return n.op("Squeeze", {x}); }},
      {"Unsqueeze 11",
       11,
       {2, 4},
       [](Net& n, V x) {
         return n.op("Unsqueeze", {x}, {attr("axes", Ints{0, 2})});
       }},
      {"Split 11", 11, image,
       [](Net& n, V x) {
         return n.ops("Split", {x}, 2, {attr("axis", std::int64_t{1}), attr("split", Ints{1, 3})})[1];
       }},
      {"Split 11 in equal parts", 11, image,
       [](Net& n, V x) { return n.ops("Split", {x}, 2, {attr("axis", std::int64_t{1})})[1]; }},
      {"ReduceSum 11", 11, image,
       [](Net& n, V x) {
         return n.op("ReduceSum", {x}, {attr("axes", Ints{1, 2}), attr("keepdims", std::int64_t{0})});
       }},
      {"ReduceMean 11", 11, image,
       [](Net& n, V x) {
         return n.op("ReduceMean", {x}, {attr("axes", Ints{2, 3})});
       }},
      {"ReduceMax 13 of all", 13, image, [](Net& n, V x) { return n.op("ReduceMax", {x}); }},
      {"ReduceL2 13", 13, image, [](Net& n, V x) { return n.op("ReduceL2", {x}, {attr("axes", Ints{-1})}); }},
      {"Softmax 11 of the last axis", 11, {3, 5}, [](Net& n, V x) { return n.op("Softmax", {x}); }},
      {"Softmax 11 of three axes", 11, image, [](Net& n, V x) { return n.op("Softmax", {x}); }},
      {"LogSoftmax 9 of two axes", 9, image,
       [](Net& n, V x) { return n.op("LogSoftmax", {x}, {attr("axis", std::int64_t{2})}); }},
      {"Hardmax 11", 11, image,
       [](Net& n, V x) { return n.op("Hardmax", {x}, {attr("axis", std::int64_t{2})}); }},
      {"Scatter 9",
       9,
       {4, 3},
       [](Net& n, V x) {
         const std::vector<std::int64_t> index = {2, 0, 1};
         return n.op("Scatter", {x, n.constant(Tensor::of({1, 3}, std::span(index))), n.weight({1, 3})},
                     {attr("axis", std::int64_t{0})});
       }},
      {"GridSample 16",
       16,
       {1, 2, 4, 4},
       [](Net& n, V x) {
         return n.op("GridSample", {x, n.weight({1, 3, 3, 2})}, {attr("mode", "bilinear")});
       }},
      {"RoiAlign 10",
       10,
       {1, 2, 8, 8},
       [](Net& n, V x) {
         const std::vector<float> roi = {0, 0, 5, 5};
         return n.op("RoiAlign", {x, n.constant(Tensor::of({1, 4}, std::span(roi))), n.ints({0})},
                     {attr("output_height", std::int64_t{2}), attr("output_width", std::int64_t{2})});
       }},
      {"LSTM 7",
       9,
       {3, 1, 4},
       [](Net& n, V x) {
         return n.ops("LSTM", {x, n.weight({1, 16, 4}), n.weight({1, 16, 4})}, 1,
                      {attr("hidden_size", std::int64_t{4})})[0];
       }},
  };
}

Model model_of(const Case& c) {
  Net n(c.opset);
  const V x = n.input("x", c.shape);
  n.output(c.make(n, n.op("Identity", {x})));
  return n.done();
}

TEST(UpgradeReferee, MeansTheSame) {
  REQUIRE_REFEREE();
  for (const Case& c : cases()) {
    const Model before = model_of(c);
    for (const std::int64_t opset : {13, 17, 18, 21}) {
      if (opset <= c.opset) continue;
      ASSERT_EQ(why_not_upgrade(before, opset), "") << c.name;
      Model after = before.clone();
      upgrade(after, opset);
      after.verify();
      EXPECT_EQ(after.opset(), opset);
      const judge::Difference d = judge::difference(before, after);
      EXPECT_EQ(d.error, "") << c.name << " to " << opset;
      EXPECT_LE(d.max_rel, 1e-6) << c.name << " to " << opset;
    }
  }
}

TEST(UpgradeReferee, ReachesBodies) {
  REQUIRE_REFEREE();
  Net n(9);
  const V x = n.input("x", {2, 6});
  const V c = n.input("c", {1}, DType::kBool);
  const V y = n.op("If", {c});
  n.body(y, "then_branch", [&](build::Builder& b) {
    b.graph().add_output(*b.op("Slice", {x}, {attr("starts", Ints{0}), attr("ends", Ints{2})}));
  });
  n.body(y, "else_branch",
         [&](build::Builder& b) { b.graph().add_output(*b.op("Clip", {x}, {attr("min", 0.0F)})); });
  n.output(y);
  const Model before = n.done();
  Model after = before.clone();
  upgrade(after, 21);
  after.verify();
  const judge::Difference d = judge::difference(before, after, {.samples = 4});
  EXPECT_EQ(d.error, "");
  EXPECT_EQ(d.max_abs, 0);
}

TEST(Upgrade, RefusesWhatCannotBeSaid) {
  const auto why = [](const Case& c) { return why_not_upgrade(model_of(c), 21); };
  EXPECT_THAT(why({"",
                   8,
                   {2, 4, 3, 3},
                   [](Net& n, V x) {
                     const V y = n.bn(x, 4);
                     n.graph().set_attribute(*y->producer(), {"spatial", std::int64_t{0}});
                     return y;
                   }}),
              HasSubstr("spatial 0"));
  EXPECT_THAT(why({"",
                   18,
                   {2, 4, 3, 3},
                   [](Net& n, V x) {
                     return n.op("GroupNormalization", {x, n.weight({2}), n.weight({2})},
                                 {attr("num_groups", std::int64_t{2})});
                   }}),
              HasSubstr("scale by group"));
  EXPECT_THAT(why({"", 6, {2}, [](Net& n, V x) { return n.relu(x); }}), HasSubstr("opset 6"));
  Model old = model_of({"", 6, {2}, [](Net& n, V x) { return n.relu(x); }});
  EXPECT_THROW(upgrade(old, 13), Error);
}

TEST(Upgrade, WhatIsThereAlreadyStays) {
  Model model = model_of({"", 17, {2}, [](Net& n, V x) { return n.relu(x); }});
  upgrade(model, 13);
  EXPECT_EQ(model.opset(), 17);
  EXPECT_EQ(model.ir_version, 8);
}

TEST(Upgrade, WeightsOfOldIrAreNoInputsAfterwards) {
  Model model = model_of({"", 8, {2, 4}, [](Net& n, V x) { return n.matmul(x, n.weight({4, 4})); }});
  model.ir_version = 3;
  const Value* w = model.graph->initializers()[0];
  model.graph->add_input(w->name(), Type::tensor(DType::kFloat, {4, 4}));
  EXPECT_EQ(raise_ir(model, 7), 1);
  EXPECT_EQ(model.graph->inputs().size(), 1U);
  EXPECT_EQ(model.ir_version, 7);
}

TEST(UpgradeLongReferee, RealModelsAnswerTheSame) {
  REQUIRE_REFEREE();
  REQUIRE_MODELS();
  int raised = 0;
  for (const std::string& path : judge::real_models()) {
    const Model before = load_model(path);
    if (!judge::error_of_run(path).empty()) continue;  // wants other inputs than random ones
    for (const std::int64_t opset : {13, 21}) {
      if (before.opset() >= opset || !why_not_upgrade(before, opset).empty()) continue;
      Model after = before.clone();
      upgrade(after, opset);
      const judge::Difference d = judge::difference(before, after);
      EXPECT_EQ(d.error, "") << path;
      EXPECT_LE(d.max_rel, 1e-4) << path << " to " << opset;
      ++raised;
    }
  }
  EXPECT_GT(raised, 10);
}

}  // namespace
}  // namespace compressor

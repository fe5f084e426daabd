// BatchNormalization and per-channel arithmetic go into the weights before them, or stay for a reason.
#include "passes/simplify/small_net.h"

namespace compressor::judge {
namespace {

struct LinearCase {
  std::string name;
  std::string op;
  Dims input, weight;
  std::int64_t channels;
  bool bias;
  std::int64_t group = 1;
  std::int64_t trans_b = 0;
};

void PrintTo(const LinearCase& c, std::ostream* out) {
  *out << c.name;
}

const Value* linear(SmallNet& net, const LinearCase& c) {
  std::vector<const Value*> inputs{net.input("x", c.input), net.weight("w", c.weight)};
  if (c.bias) inputs.push_back(net.weight("b", {c.channels}));
  std::vector<Attribute> attributes;
  if (c.op != "Gemm") attributes.emplace_back("group", c.group);
  if (c.op == "Gemm") {
    attributes.emplace_back("transB", c.trans_b);
    attributes.emplace_back("alpha", 0.5F);
    attributes.emplace_back("beta", 2.0F);
  }
  return net.add(c.op, std::move(inputs), std::move(attributes));
}

class FoldLinear : public ::testing::TestWithParam<LinearCase> {};

TEST_P(FoldLinear, BatchNormGoesIntoTheWeights) {
  SmallNet net;
  net.output(net.add("Relu", {net.batchnorm(linear(net, GetParam()), GetParam().channels)}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(count(s.graph(), "BatchNormalization"), 0U);
  EXPECT_EQ(s.graph().nodes().size(), 2U);
  EXPECT_EQ(s.graph().initializers().size(), 2U);
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST_P(FoldLinear, MulAndAddGoIntoTheWeights) {
  SmallNet net;
  const LinearCase& c = GetParam();
  Dims per_channel(c.input.size() - 1, 1);
  per_channel[0] = c.channels;
  const Value* y = net.add("Mul", {linear(net, c), net.weight("m", per_channel, 0.5)});
  y = net.add("Add", {net.weight("a", per_channel), y});
  y = net.add("Div", {y, net.constant("two", Tensor::scalar(2.0F))});
  net.output(net.add("Sub", {y, net.weight("s", per_channel)}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(s.graph().nodes().size(), 1U);
  EXPECT_EQ(s.graph().outputs()[0]->name(), net.graph().outputs()[0]->name());
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

INSTANTIATE_TEST_SUITE_P(
    Linear, FoldLinear,
    ::testing::Values(LinearCase{"conv", "Conv", {1, 3, 8, 8}, {4, 3, 3, 3}, 4, true},
                      LinearCase{"conv_without_bias", "Conv", {1, 3, 8}, {4, 3, 3}, 4, false},
                      LinearCase{"grouped", "Conv", {1, 4, 8, 8}, {6, 2, 3, 3}, 6, true, 2},
                      LinearCase{"depthwise", "Conv", {1, 4, 8, 8}, {4, 1, 3, 3}, 4, false, 4},
                      LinearCase{"transposed", "ConvTranspose", {1, 4, 5, 5}, {4, 3, 2, 2}, 3, true},
                      LinearCase{
                          "transposed_grouped", "ConvTranspose", {1, 4, 5, 5}, {4, 3, 2, 2}, 6, false, 2},
                      LinearCase{"gemm", "Gemm", {5, 4}, {4, 3}, 3, true},
                      LinearCase{"gemm_transposed", "Gemm", {5, 4}, {3, 4}, 3, false, 1, 1}),
    [](const auto& c) { return c.param.name; });

TEST(FoldBatchNorm, LargeWeightsAreMultipliedWhileTheyAreRead) {
  SmallNet net;
  const Value* y = net.add("Conv", {net.input("x", {1, 512, 4, 4}), net.weight("w", {520, 512, 1, 1})});
  net.output(net.batchnorm(y, 520));
  const Simplified s = simplify(net.model());
  ASSERT_TRUE(s.graph().find("w"));
  EXPECT_TRUE(s.graph().find("w")->initializer()->bytes.is_derived());
  const Tensor& w = *s.graph().find("w")->initializer();
  const BytesView whole = w.bytes.view();
  std::vector<std::byte> part(10);  // from the middle of one number to the middle of another
  w.bytes.read(4097, part);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.data() + 4097));
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(FoldBatchNorm, StaysWhereTheWeightIsShared) {
  SmallNet net;
  const Value* w = net.weight("w", {4, 4, 1, 1});
  const Value* y = net.add("Conv", {net.input("x", {1, 4, 4, 4}), w});
  net.output(net.add("Conv", {net.batchnorm(y, 4), w}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(count(s.graph(), "BatchNormalization"), 1U);
  ASSERT_EQ(s.result.skipped, 1);
  EXPECT_NE(s.result.layers[0].detail.find("'w' is shared"), std::string::npos);
}

TEST(FoldBatchNorm, StaysWhereTheResultIsReadTwice) {
  SmallNet net;
  const Value* y = net.add("Conv", {net.input("x", {1, 4, 4, 4}), net.weight("w", {4, 4, 1, 1})});
  net.output(net.add("Add", {net.batchnorm(y, 4), y}));
  EXPECT_EQ(count(simplify(net.model()).graph(), "BatchNormalization"), 1U);
}

TEST(FoldBatchNorm, StaysInTraining) {
  SmallNet net(15);
  const Value* y = net.add("Conv", {net.input("x", {1, 4, 4, 4}), net.weight("w", {4, 4, 1, 1})});
  net.output(net.batchnorm(y, 4, [] {
    std::vector<Attribute> a;
    a.emplace_back("training_mode", std::int64_t{1});
    return a;
  }()));
  EXPECT_EQ(count(simplify(net.model()).graph(), "BatchNormalization"), 1U);
}

TEST(FoldBatchNorm, StaysWhereAWeightMayBeReplacedByTheCaller) {
  SmallNet net;
  const Value* y = net.add("Conv", {net.input("x", {1, 4, 4, 4}), net.weight("w", {4, 4, 1, 1})});
  net.output(net.batchnorm(y, 4));
  net.graph().add_input("w", Type::tensor(DType::kFloat, {4, 4, 1, 1}));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(count(s.graph(), "BatchNormalization"), 1U);
  EXPECT_EQ(s.graph().inputs().size(), 2U);
  ASSERT_FALSE(s.result.notes.empty());
  EXPECT_NE(s.result.notes.back().find("1 initializers are graph inputs too"), std::string::npos);
}

TEST(FoldBatchNorm, BeforeIrFourWeightsAreInputsByHabit) {
  SmallNet net(8, 3);
  const Value* y = net.add("Conv", {net.input("x", {1, 4, 4, 4}), net.weight("w", {4, 4, 1, 1})});
  net.output(net.batchnorm(y, 4));
  const Simplified s = simplify(net.model());
  EXPECT_EQ(count(s.graph(), "BatchNormalization"), 0U);
  EXPECT_EQ(s.graph().inputs().size(), 3U);  // x, w and the new bias
  REQUIRE_REFEREE();
  expect_same_numbers(s);
}

TEST(FoldBatchNorm, StaysWhereTheUserSaysSo) {
  SmallNet net;
  const Value* y = net.add("Conv", {net.input("x", {1, 4, 4, 4}), net.weight("w", {4, 4, 1, 1})});
  net.output(net.batchnorm(y, 4));
  Simplify keep;
  keep.keep_batchnorm.set(true);
  EXPECT_EQ(count(simplify(net.model(), keep).graph(), "BatchNormalization"), 1U);
  Simplify plain;
  PassContext context;
  context.filter = NodeFilter({}, {"op:BatchNormalization"});
  EXPECT_EQ(count(simplify(net.model(), plain, context).graph(), "BatchNormalization"), 1U);
  context.filter = NodeFilter({}, {"op:Conv"});
  EXPECT_EQ(count(simplify(net.model(), plain, context).graph(), "BatchNormalization"), 1U);
}

TEST(FoldAffine, StaysWhereTheConstantIsNotPerChannel) {
  SmallNet net;
  const Value* y = net.add("Conv", {net.input("x", {1, 4, 4, 4}), net.weight("w", {4, 4, 1, 1})});
  net.output(net.add("Add", {y, net.weight("image", {1, 1, 4, 4})}));
  EXPECT_EQ(count(simplify(net.model()).graph(), "Add"), 1U);
}

TEST(FoldAffine, HalfPrecisionIsNotRoundedAgain) {
  SmallNet net;
  const std::vector<double> w(16, 0.3);
  const Value* y =
      net.add("Conv", {net.input("x", {1, 4, 4, 4}, DType::kFloat16),
                       net.constant("w", Tensor::of(DType::kFloat16, {4, 4, 1, 1}, std::span(w)))});
  const std::vector<double> c(1, 3.0);
  net.output(net.add("Mul", {y, net.constant("c", Tensor::of(DType::kFloat16, {}, std::span(c)))}),
             DType::kFloat16);
  const Simplified s = simplify(net.model());
  EXPECT_EQ(count(s.graph(), "Mul"), 1U);
  ASSERT_EQ(s.result.skipped, 1);
  EXPECT_NE(s.result.layers[0].detail.find("float16"), std::string::npos);
}

}  // namespace
}  // namespace compressor::judge

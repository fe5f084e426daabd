// Gradients of functions of elements against differences.
#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

struct BroadcastCase {
  const char* op;
  Dims a, b;
};

void PrintTo(const BroadcastCase& c, std::ostream* out) {
  *out << c.op << " " << to_string(c.a) << " " << to_string(c.b);
}

class BroadcastGradient : public testing::TestWithParam<BroadcastCase> {};

/// Both operands are inputs; a divisor stays away from zero.
TEST_P(BroadcastGradient, MatchesDifferences) {
  const BroadcastCase& c = GetParam();
  Net net;
  const V a = net.input("a", c.a);
  const V b = net.positive(c.b, 0.75);
  net.output(net.op(c.op, {a, b}));
  expect_gradients(net.done());
}

/// The same on values that lie channels-last.
TEST_P(BroadcastGradient, MatchesDifferencesBehindConvolutions) {
  const BroadcastCase& c = GetParam();
  if (c.a.size() != 4) return;
  Net net;
  const V a = net.conv1x1(net.input("a", c.a), c.a[1], c.a[1]);
  V b = net.positive(c.b, 0.75);
  if (c.b.size() == 4 && std::string(c.op) != "Div") {
    b = net.conv1x1(net.input("b", c.b), c.b[1], c.b[1]);
  }
  V y = net.op(c.op, {a, b});
  const std::int64_t channels = std::max(c.a[1], c.b.size() == 4 ? c.b[1] : 1);
  net.output(net.conv1x1(y, channels, 2));
  expect_gradients(net.done());
}

std::vector<BroadcastCase> broadcasts() {
  std::vector<BroadcastCase> list;
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    list.insert(list.end(), {{op, {2, 3, 4, 2}, {2, 3, 4, 2}},
                             {op, {2, 3, 4, 2}, {3, 1, 1}},
                             {op, {2, 3, 4, 2}, {2, 3, 1, 1}},
                             {op, {2, 3, 4, 2}, {2}},
                             {op, {2, 3, 4, 2}, {4, 1}},
                             {op, {2, 1, 4, 1}, {2, 3, 1, 2}},
                             {op, {2, 3, 1, 1}, {2, 3, 4, 2}},
                             {op, {3, 4}, {1}},
                             {op, {3, 4}, {}},
                             {op, {4}, {3, 1}},
                             {op, {5, 1, 3}, {5, 4, 3}}});
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(All, BroadcastGradient, testing::ValuesIn(broadcasts()));

/// The same value on both sides.
TEST(BroadcastGradient, OfAValueWithItself) {
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    SCOPED_TRACE(op);
    Net net;
    const V x = net.input("x", {3, 4});
    net.output(net.op(op, {x, x}));
    expect_gradients(net.done(), {.low = 0.5, .high = 2});
  }
}

struct FunctionCase {
  const char* op;
  Settings settings = {};
  std::int64_t opset = 17;
};

void PrintTo(const FunctionCase& c, std::ostream* out) {
  *out << c.op;
}

class ActivationGradient : public testing::TestWithParam<FunctionCase> {};

TEST_P(ActivationGradient, MatchesDifferences) {
  const FunctionCase& c = GetParam();
  for (const Dims& shape : {Dims{3, 7}, Dims{2, 3, 4, 5}}) {
    Net net(c.opset);
    net.output(net.op(c.op, {net.input("x", shape)}, c.settings));
    expect_gradients(net.done(), {.low = -4, .high = 4});
  }
}

TEST_P(ActivationGradient, MatchesDifferencesBehindConvolutions) {
  const FunctionCase& c = GetParam();
  Net net(c.opset);
  const V x = net.conv1x1(net.input("x", {2, 3, 4, 4}), 3, 5);
  net.output(net.conv1x1(net.op(c.op, {x}, c.settings), 5, 3));
  expect_gradients(net.done(), {.low = -4, .high = 4, .away_from_kinks = 0.3});
}

INSTANTIATE_TEST_SUITE_P(
    All, ActivationGradient,
    testing::Values(FunctionCase{"Relu"}, FunctionCase{"Sigmoid"}, FunctionCase{"Tanh"},
                    FunctionCase{"LeakyRelu", {attr("alpha", 0.1F)}},
                    FunctionCase{"Elu", {attr("alpha", 1.3F)}}, FunctionCase{"HardSigmoid"},
                    FunctionCase{"HardSwish"}, FunctionCase{"Softplus"}, FunctionCase{"Mish", {}, 18},
                    FunctionCase{"Gelu", {}, 20}, FunctionCase{"Gelu", {attr("approximate", "tanh")}, 20},
                    FunctionCase{"Swish", {attr("alpha", 1.5F)}, 24}, FunctionCase{"Selu"},
                    FunctionCase{"Selu", {attr("alpha", 0.7F), attr("gamma", 1.4F)}},
                    FunctionCase{"Celu", {attr("alpha", 0.6F)}},
                    FunctionCase{"ThresholdedRelu", {attr("alpha", 0.4F)}},
                    FunctionCase{"Shrink", {attr("bias", 0.2F), attr("lambd", 0.3F)}}));

TEST(ClipGradient, IsZeroOutside) {
  Net net;
  net.output(net.op("Clip", {net.input("x", {4, 9}), net.constant(Tensor::scalar(-0.5F)),
                             net.constant(Tensor::scalar(1.0F))}));
  const Model model = net.done();
  GradientCheck check;
  for (const Value* v : model.graph->initializers()) check.except.insert(v);
  expect_gradients(model, check);
}

TEST(ClipGradient, WithOneBound) {
  Net net;
  net.output(net.op("Clip", {net.input("x", {4, 9}), nullptr, net.constant(Tensor::scalar(0.25F))}));
  const Model model = net.done();
  GradientCheck check;
  for (const Value* v : model.graph->initializers()) check.except.insert(v);
  expect_gradients(model, check);
}

TEST(ClipGradient, WithAttributes) {
  Net net(6);
  net.output(net.op("Clip", {net.input("x", {4, 9})}, {attr("min", 0.0F), attr("max", 1.0F)}));
  expect_gradients(net.done());
}

class UnaryGradient : public testing::TestWithParam<FunctionCase> {};

/// Inputs in (0.1, 0.9), where all are smooth.
TEST_P(UnaryGradient, MatchesDifferences) {
  Net net;
  net.output(net.op(GetParam().op, {net.input("x", {2, 3, 4})}));
  expect_gradients(net.done(), {.low = 0.15, .high = 0.85});
}

/// Where most have both signs, and values lie channels-last.
TEST_P(UnaryGradient, MatchesDifferencesBehindConvolutions) {
  const std::string op = GetParam().op;
  const bool whole = op != "Log" && op != "Sqrt" && op != "Reciprocal" && op != "Asin" && op != "Acos" &&
                     op != "Atanh" && op != "Tan";
  if (!whole) return;
  Net net;
  net.output(net.conv1x1(net.op(op, {net.conv1x1(net.input("x", {2, 3, 4, 4}), 3, 4)}), 4, 2));
  expect_gradients(net.done());
}

INSTANTIATE_TEST_SUITE_P(All, UnaryGradient,
                         testing::Values(FunctionCase{"Abs"}, FunctionCase{"Neg"}, FunctionCase{"Exp"},
                                         FunctionCase{"Log"}, FunctionCase{"Sqrt"},
                                         FunctionCase{"Reciprocal"}, FunctionCase{"Erf"}, FunctionCase{"Sin"},
                                         FunctionCase{"Cos"}, FunctionCase{"Tan"}, FunctionCase{"Asin"},
                                         FunctionCase{"Acos"}, FunctionCase{"Atan"}, FunctionCase{"Sinh"},
                                         FunctionCase{"Cosh"}, FunctionCase{"Asinh"}, FunctionCase{"Atanh"},
                                         FunctionCase{"Softsign"}));

/// The vector kernels against the portable ones, from one end of float to the other.
TEST(UnaryFunctions, AreThoseOfThePortableKernels) {
  for (const char* op : {"Exp", "Erf", "Sqrt", "Log", "Reciprocal"}) {
    SCOPED_TRACE(op);
    Net net;
    std::vector<float> x;
    for (int i = -9000; i < 9000; ++i)
      x.push_back(0.01F * static_cast<float>(i) * (i % 7 == 0 ? 1.0F : 0.05F));
    net.output(net.op(op, {net.input("x", {static_cast<std::int64_t>(x.size())})}));
    const Model model = net.done();
    const Executor::Feeds feeds{
        {"x", Tensor::of({static_cast<std::int64_t>(x.size())}, std::span<const float>(x))}};
    const std::vector<float> fast = to_floats(Executor(model).run(feeds)[0].tensor);
    const std::vector<float> slow = to_floats(Executor(model, {.portable = true}).run(feeds)[0].tensor);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (std::isfinite(slow[i])) {
        ASSERT_NEAR(fast[i], slow[i], 1e-6F * (1e-30F + std::abs(slow[i]))) << "at " << x[i];
      } else {
        ASSERT_FALSE(std::isfinite(fast[i])) << "at " << x[i];
      }
    }
  }
}

TEST(UnaryGradient, OfAcosh) {
  Net net;
  net.output(net.op("Acosh", {net.input("x", {3, 4})}));
  expect_gradients(net.done(), {.low = 1.5, .high = 3});
}

TEST(PowGradient, ToBaseAndExponent) {
  for (const Dims& exponent : {Dims{}, Dims{4}, Dims{3, 1}, Dims{2, 3, 4}}) {
    Net net;
    net.output(net.op("Pow", {net.input("x", {2, 3, 4}), net.positive(exponent, 1)}));
    expect_gradients(net.done(), {.low = 0.5, .high = 1.5});
  }
}

TEST(PowGradient, OfASquare) {
  Net net;
  net.output(net.op("Pow", {net.input("x", {2, 3, 4}), net.number(2)}));
  const Model model = net.done();
  GradientCheck check;
  for (const Value* v : model.graph->initializers()) check.except.insert(v);
  expect_gradients(model, check);
}

TEST(VariadicGradient, MatchesDifferences) {
  for (const char* op : {"Sum", "Mean", "Max", "Min"}) {
    SCOPED_TRACE(op);
    for (const Dims& other : {Dims{2, 3, 4}, Dims{3, 1}}) {
      Net net;
      net.output(net.op(op, {net.input("x", {2, 3, 4}), net.weight(other), net.weight({2, 3, 4})}));
      expect_gradients(net.done());
    }
    Net pair;
    pair.output(pair.op(op, {pair.conv1x1(pair.input("x", {2, 3, 4, 4}), 3, 4),
                             pair.conv1x1(pair.input("y", {2, 3, 4, 4}), 3, 4)}));
    expect_gradients(pair.done());
    Net one;
    one.output(one.op(op, {one.input("x", {5})}));
    expect_gradients(one.done());
  }
}

}  // namespace
}  // namespace compressor::build

// Gradients of operators that sum, choose, turn or normalise along an axis, against differences: CumSum,
// TopK, ReverseSequence, Compress, LpNormalization, MeanVarianceNormalization, and of triangles.
#include <functional>

#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

struct AxisCase {
  const char* name;
  Dims x;
  std::function<V(Net&, V)> rule;
  std::int64_t opset = 17;
};

void PrintTo(const AxisCase& c, std::ostream* out) {
  *out << c.name;
}

class AxisGradient : public testing::TestWithParam<AxisCase> {};

TEST_P(AxisGradient, MatchesDifferences) {
  const AxisCase& c = GetParam();
  for (const bool portable : {false, true}) {
    Net net(c.opset);
    net.output(c.rule(net, net.input("x", c.x)));
    expect_gradients(net.done(), {.portable = portable});
  }
}

V sums(Net& n, V x, std::int64_t axis, std::int64_t exclusive, std::int64_t reverse) {
  return n.op("CumSum", {x, n.integer(axis)}, {attr("exclusive", exclusive), attr("reverse", reverse)});
}

INSTANTIATE_TEST_SUITE_P(
    CumSum, AxisGradient,
    testing::Values(AxisCase{"First", {5, 3}, [](Net& n, V x) { return sums(n, x, 0, 0, 0); }},
                    AxisCase{"Inside", {2, 5, 3}, [](Net& n, V x) { return sums(n, x, -2, 0, 0); }},
                    AxisCase{"Exclusive", {2, 5, 3}, [](Net& n, V x) { return sums(n, x, 1, 1, 0); }},
                    AxisCase{"Reverse", {2, 5}, [](Net& n, V x) { return sums(n, x, -1, 0, 1); }},
                    AxisCase{"ExclusiveReverse", {2, 5}, [](Net& n, V x) { return sums(n, x, 1, 1, 1); }}),
    [](const auto& c) { return std::string(c.param.name); });

V triangle(Net& n, V x, std::int64_t upper, std::int64_t diagonal) {
  return n.op("Trilu", {x, n.integer(diagonal)}, {attr("upper", upper)});
}

INSTANTIATE_TEST_SUITE_P(
    Trilu, AxisGradient,
    testing::Values(AxisCase{"Upper", {4, 4}, [](Net& n, V x) { return n.op("Trilu", {x}); }},
                    AxisCase{"UpperRight", {2, 3, 5}, [](Net& n, V x) { return triangle(n, x, 1, 2); }},
                    AxisCase{"Lower", {2, 5, 3}, [](Net& n, V x) { return triangle(n, x, 0, 0); }},
                    AxisCase{"LowerLeft", {2, 4, 4}, [](Net& n, V x) { return triangle(n, x, 0, -1); }},
                    AxisCase{"Nothing", {3, 3}, [](Net& n, V x) { return triangle(n, x, 1, 9); }}),
    [](const auto& c) { return std::string(c.param.name); });

V top(Net& n, V x, std::int64_t k, std::int64_t axis, std::int64_t largest = 1) {
  return n.ops("TopK", {x, n.ints({k})}, 2, {attr("axis", axis), attr("largest", largest)})[0];
}

INSTANTIATE_TEST_SUITE_P(
    TopK, AxisGradient,
    testing::Values(AxisCase{"Last", {3, 6}, [](Net& n, V x) { return top(n, x, 2, -1); }},
                    AxisCase{"First", {5, 3}, [](Net& n, V x) { return top(n, x, 3, 0); }},
                    AxisCase{"Inside", {2, 6, 3}, [](Net& n, V x) { return top(n, x, 2, 1); }},
                    AxisCase{"Smallest", {2, 6, 3}, [](Net& n, V x) { return top(n, x, 1, -2, 0); }},
                    AxisCase{"All", {2, 5}, [](Net& n, V x) { return top(n, x, 5, 1); }},
                    AxisCase{
                        "ByAttribute",
                        {2, 5},
                        [](Net& n, V x) { return n.ops("TopK", {x}, 2, {attr("k", std::int64_t{2})})[0]; },
                        9}),
    [](const auto& c) { return std::string(c.param.name); });

/// The places alone reach the loss: the gradient is zero.
TEST(TopKGradient, IsZeroThroughThePlaces) {
  Net net;
  const V x = net.input("x", {2, 5});
  const V places = net.ops("TopK", {x, net.ints({2})}, 2)[1];
  net.output(net.gather(net.weight({5}), places, 0));
  expect_gradients(net.done());
}

V reversed(Net& n, V x, const Ints& lengths, std::int64_t batch, std::int64_t time) {
  return n.op("ReverseSequence", {x, n.ints(lengths)}, {attr("batch_axis", batch), attr("time_axis", time)});
}

INSTANTIATE_TEST_SUITE_P(ReverseSequence, AxisGradient,
                         testing::Values(AxisCase{"TimeFirst",
                                                  {5, 3, 2},
                                                  [](Net& n, V x) {
                                                    return reversed(n, x, {5, 1, 3}, 1, 0);
                                                  }},
                                         AxisCase{"BatchFirst",
                                                  {3, 4},
                                                  [](Net& n, V x) {
                                                    return reversed(n, x, {2, 4, 0}, 0, 1);
                                                  }}),
                         [](const auto& c) { return std::string(c.param.name); });

V compressed(Net& n, V x, const std::vector<double>& condition, const Settings& settings) {
  const Dims shape{static_cast<std::int64_t>(condition.size())};
  return n.op("Compress", {x, n.constant(Tensor::of(DType::kBool, shape, condition))}, settings);
}

INSTANTIATE_TEST_SUITE_P(
    Compress, AxisGradient,
    testing::Values(AxisCase{"First",
                             {4, 3},
                             [](Net& n, V x) {
                               return compressed(n, x, {0, 1, 0, 1}, {attr("axis", std::int64_t{0})});
                             }},
                    AxisCase{"InsideShort",
                             {2, 4, 3},
                             [](Net& n, V x) {
                               return compressed(n, x, {1, 0, 1}, {attr("axis", std::int64_t{-2})});
                             }},
                    AxisCase{"Flat",
                             {2, 3},
                             [](Net& n, V x) {
                               return compressed(n, x, {1, 0, 0, 1, 1}, {});
                             }}),
    [](const auto& c) { return std::string(c.param.name); });

V unit(Net& n, V x, std::int64_t p, std::int64_t axis) {
  return n.op("LpNormalization", {x}, {attr("p", p), attr("axis", axis)});
}

V standard(Net& n, V x, const Ints& axes) {
  return n.op("MeanVarianceNormalization", {x}, {attr("axes", axes)});
}

INSTANTIATE_TEST_SUITE_P(
    Norm, AxisGradient,
    testing::Values(AxisCase{"Euclid", {3, 7}, [](Net& n, V x) { return unit(n, x, 2, -1); }},
                    AxisCase{"EuclidInside", {2, 5, 3}, [](Net& n, V x) { return unit(n, x, 2, 1); }},
                    AxisCase{"Manhattan", {3, 7}, [](Net& n, V x) { return unit(n, x, 1, -1); }},
                    AxisCase{"ManhattanFirst", {6, 3}, [](Net& n, V x) { return unit(n, x, 1, 0); }},
                    AxisCase{"MeanVariance",
                             {2, 3, 4, 3},
                             [](Net& n, V x) { return n.op("MeanVarianceNormalization", {x}); }},
                    AxisCase{"MeanVarianceOfRows", {3, 6}, [](Net& n, V x) { return standard(n, x, {1}); }}),
    [](const auto& c) { return std::string(c.param.name); });

/// A norm of zero gives zeros, and no slope.
TEST(NormGradient, IsZeroWhereTheNormIs) {
  Net net;
  const V x = net.input("x", {2, 3});
  const V y = unit(net, x, 2, 1);
  net.output(y);
  const Model model = net.done();
  Executor executor(model, {.training = true, .gradients_of = {x}});
  const std::vector<float> zeros(6, 0.0F);
  const std::vector<float> seed{1, 2, 3, 4, 5, 6};
  executor.run({{"x", Tensor::of({2, 3}, std::span<const float>(zeros))}});
  const auto gradients = executor.backward({{y, Tensor::of({2, 3}, std::span<const float>(seed))}});
  for (const float g : to_floats(gradients.at(x))) EXPECT_EQ(g, 0.0F);
}

}  // namespace
}  // namespace compressor::build

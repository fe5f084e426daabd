// Gradients of convolutions and products against differences.
#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

struct ConvCase {
  const char* name;
  Dims x, w;
  bool bias = true;
  Settings settings = {};
};

void PrintTo(const ConvCase& c, std::ostream* out) {
  *out << c.name;
}

class ConvGradient : public testing::TestWithParam<ConvCase> {};

TEST_P(ConvGradient, MatchesDifferences) {
  const ConvCase& c = GetParam();
  Net net;
  std::vector<V> inputs{net.input("x", c.x), net.weight(c.w)};
  if (c.bias) inputs.push_back(net.weight({c.w[0]}));
  net.output(net.op("Conv", inputs, c.settings));
  expect_gradients(net.done());
}

INSTANTIATE_TEST_SUITE_P(
    All, ConvGradient,
    testing::Values(
        ConvCase{"Plain", {2, 3, 6, 5}, {4, 3, 3, 3}, true, {attr("pads", Ints{1, 1, 1, 1})}},
        ConvCase{"NoBias", {1, 8, 4, 4}, {16, 8, 1, 1}, false},
        ConvCase{"Strided", {2, 4, 9, 7}, {8, 4, 3, 3}, true, {attr("strides", Ints{2, 3})}},
        ConvCase{"Dilated", {1, 2, 9, 9}, {3, 2, 3, 2}, true, {attr("dilations", Ints{2, 3})}},
        ConvCase{"Grouped", {2, 6, 5, 5}, {9, 2, 3, 3}, true, {attr("group", std::int64_t{3})}},
        ConvCase{"Depthwise",
                 {2, 8, 6, 6},
                 {8, 1, 3, 3},
                 false,
                 {attr("group", std::int64_t{8}), attr("pads", Ints{1, 1, 1, 1})}},
        ConvCase{"DepthwiseStrided",
                 {1, 4, 7, 7},
                 {8, 1, 3, 3},
                 true,
                 {attr("group", std::int64_t{4}), attr("strides", Ints{2, 2})}},
        ConvCase{"AsymmetricPads", {1, 3, 5, 6}, {4, 3, 3, 3}, true, {attr("pads", Ints{0, 1, 2, 0})}},
        ConvCase{"SameUpper",
                 {1, 3, 5, 6},
                 {4, 3, 2, 3},
                 true,
                 {attr("auto_pad", "SAME_UPPER"), attr("strides", Ints{2, 2})}},
        ConvCase{"LastPlaceNotReached", {1, 2, 6, 6}, {4, 2, 3, 3}, true, {attr("strides", Ints{2, 2})}},
        ConvCase{
            "OneAxis", {2, 3, 11}, {4, 3, 3}, true, {attr("pads", Ints{1, 1}), attr("strides", Ints{2})}},
        ConvCase{"Volume", {1, 2, 4, 5, 4}, {3, 2, 2, 3, 2}, true, {attr("pads", Ints{0, 1, 0, 1, 1, 1})}}),
    [](const auto& c) { return std::string(c.param.name); });

struct GemmCase {
  bool trans_a, trans_b;
  float alpha, beta;
  Dims c;  ///< empty: none
};

class GemmGradient : public testing::TestWithParam<GemmCase> {};

TEST_P(GemmGradient, MatchesDifferences) {
  const GemmCase& c = GetParam();
  Net net;
  std::vector<V> inputs{net.input("a", c.trans_a ? Dims{5, 4} : Dims{4, 5}),
                        net.weight(c.trans_b ? Dims{3, 5} : Dims{5, 3})};
  if (!c.c.empty()) inputs.push_back(net.weight(c.c));
  net.output(net.op("Gemm", inputs,
                    {attr("transA", std::int64_t{c.trans_a}), attr("transB", std::int64_t{c.trans_b}),
                     attr("alpha", c.alpha), attr("beta", c.beta)}));
  expect_gradients(net.done());
}

INSTANTIATE_TEST_SUITE_P(All, GemmGradient,
                         testing::Values(GemmCase{false, false, 1, 1, {3}}, GemmCase{false, true, 1, 1, {3}},
                                         GemmCase{true, false, 1, 1, {1, 3}}, GemmCase{true, true, 1, 1, {}},
                                         GemmCase{false, true, 0.5F, 2, {4, 3}},
                                         GemmCase{true, false, -1.5F, 0.5F, {4, 1}},
                                         GemmCase{true, true, 2, -1, {1}}));

struct MatMulCase {
  Dims a, b;
};

class MatMulGradient : public testing::TestWithParam<MatMulCase> {};

TEST_P(MatMulGradient, MatchesDifferences) {
  Net net;
  net.output(net.matmul(net.input("a", GetParam().a), net.weight(GetParam().b)));
  expect_gradients(net.done());
}

INSTANTIATE_TEST_SUITE_P(All, MatMulGradient,
                         testing::Values(MatMulCase{{4, 5}, {5, 3}}, MatMulCase{{2, 3, 4}, {4, 5}},
                                         MatMulCase{{2, 3, 4, 5}, {2, 3, 5, 2}},
                                         MatMulCase{{2, 1, 3, 4}, {1, 3, 4, 2}},
                                         MatMulCase{{3, 4}, {2, 4, 5}}, MatMulCase{{4}, {4, 3}},
                                         MatMulCase{{3, 4}, {4}}, MatMulCase{{4}, {4}},
                                         MatMulCase{{2, 3, 4}, {4}}, MatMulCase{{4}, {2, 4, 3}}));

struct EinsumCase {
  const char* equation;
  std::vector<Dims> operands;
};

void PrintTo(const EinsumCase& c, std::ostream* out) {
  *out << c.equation;
}

class EinsumGradient : public testing::TestWithParam<EinsumCase> {};

TEST_P(EinsumGradient, MatchesDifferences) {
  const EinsumCase& c = GetParam();
  Net net;
  std::vector<V> inputs{net.input("x", c.operands[0])};
  for (std::size_t i = 1; i < c.operands.size(); ++i) inputs.push_back(net.weight(c.operands[i]));
  net.output(net.op("Einsum", inputs, {attr("equation", c.equation)}));
  expect_gradients(net.done());
}

INSTANTIATE_TEST_SUITE_P(All, EinsumGradient,
                         testing::Values(EinsumCase{"ij,jk->ik", {{3, 4}, {4, 5}}},
                                         EinsumCase{"bhqd,bhkd->bhqk", {{2, 2, 3, 4}, {2, 2, 5, 4}}},
                                         EinsumCase{"...ij,jk", {{2, 3, 4}, {4, 2}}},
                                         EinsumCase{"ij,kj->k", {{3, 4}, {2, 4}}},
                                         EinsumCase{"ij->ji", {{3, 4}}}, EinsumCase{"ij->i", {{3, 4}}},
                                         EinsumCase{"i,j,k->kij", {{2}, {3}, {4}}},
                                         EinsumCase{"bij,bjk->bik", {{1, 3, 4}, {2, 4, 5}}}));

}  // namespace
}  // namespace compressor::build

// Gradients of pooling, norms, softmax, transposed convolutions and PRelu against differences.
#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

struct OpCase {
  const char* name;
  const char* op;
  Dims x;
  std::vector<Dims> weights;
  Settings settings = {};
  std::int64_t opset = 17;
  bool convolved = false;  ///< the input lies channels-last
};

void PrintTo(const OpCase& c, std::ostream* out) {
  *out << c.name;
}

class LayerGradient : public testing::TestWithParam<OpCase> {};

TEST_P(LayerGradient, MatchesDifferences) {
  const OpCase& c = GetParam();
  for (const bool portable : {false, true}) {
    Net net(c.opset);
    V x = net.input("x", c.x);
    if (c.convolved) x = net.conv(x, c.x[1], c.x[1], {.kernel = 1, .bias = true});
    std::vector<V> inputs{x};
    for (const Dims& w : c.weights) inputs.push_back(net.weight(w, 0.4, 0.3));
    net.output(net.op(c.op, inputs, c.settings));
    expect_gradients(net.done(), {.portable = portable});
  }
}

const Setting k2 = attr("kernel_shape", Ints{2, 2});
const Setting k3 = attr("kernel_shape", Ints{3, 3});
const Setting by2 = attr("strides", Ints{2, 2});
const Setting around = attr("pads", Ints{1, 1, 1, 1});

INSTANTIATE_TEST_SUITE_P(
    Pool, LayerGradient,
    testing::Values(OpCase{"Max", "MaxPool", {2, 3, 6, 6}, {}, {k2, by2}},
                    OpCase{"MaxOverlapping", "MaxPool", {1, 3, 7, 7}, {}, {k3, by2, around}},
                    OpCase{"MaxOneAxis", "MaxPool", {2, 3, 9}, {}, {attr("kernel_shape", Ints{3})}},
                    OpCase{"Average", "AveragePool", {2, 3, 6, 6}, {}, {k2, by2}, 17, true},
                    OpCase{"AveragePadded", "AveragePool", {1, 70, 5, 5}, {}, {k3, by2, around}},
                    OpCase{"AverageCountsPadding",
                           "AveragePool",
                           {1, 3, 6, 6},
                           {},
                           {k3, by2, around, attr("count_include_pad", std::int64_t{1}),
                            attr("ceil_mode", std::int64_t{1})}},
                    OpCase{"GlobalAverage", "GlobalAveragePool", {2, 5, 4, 3}, {}, {}, 17, true},
                    OpCase{"GlobalMax", "GlobalMaxPool", {2, 5, 4, 3}, {}, {}}),
    [](const auto& c) { return std::string(c.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Norm, LayerGradient,
    testing::Values(
        OpCase{"Layer", "LayerNormalization", {2, 5, 19}, {{19}, {19}}},
        OpCase{
            "LayerWithoutBias", "LayerNormalization", {2, 5, 7}, {{5, 7}}, {attr("axis", std::int64_t{1})}},
        OpCase{"Rms", "RMSNormalization", {3, 18}, {{18}}, {}, 23},
        OpCase{"Lrn", "LRN", {2, 7, 3, 4}, {}, {attr("size", std::int64_t{5}), attr("alpha", 0.9F)}},
        OpCase{"LrnEven",
               "LRN",
               {2, 6},
               {},
               {attr("size", std::int64_t{4}), attr("alpha", 1.5F), attr("beta", 0.6F), attr("bias", 2.0F)}},
        OpCase{"LrnChannelsLast",
               "LRN",
               {2, 5, 3, 4},
               {},
               {attr("size", std::int64_t{3}), attr("alpha", 2.0F)},
               17,
               true},
        OpCase{"Instance", "InstanceNormalization", {2, 3, 4, 5}, {{3}, {3}}},
        OpCase{"InstanceChannelsLast", "InstanceNormalization", {2, 3, 4, 5}, {{3}, {3}}, {}, 17, true},
        OpCase{"Group",
               "GroupNormalization",
               {2, 6, 4, 3},
               {{6}, {6}},
               {attr("num_groups", std::int64_t{3})},
               21},
        OpCase{"GroupOfOpset18",
               "GroupNormalization",
               {2, 6, 4, 3},
               {{2}, {2}},
               {attr("num_groups", std::int64_t{2})},
               18}),
    [](const auto& c) { return std::string(c.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Other, LayerGradient,
    testing::Values(
        OpCase{"SoftmaxRows", "Softmax", {3, 37}, {}, {}},
        OpCase{"SoftmaxInside", "Softmax", {2, 4, 5}, {}, {attr("axis", std::int64_t{1})}},
        OpCase{"SoftmaxChannels", "Softmax", {2, 4, 3, 3}, {}, {attr("axis", std::int64_t{1})}, 17, true},
        OpCase{"SoftmaxFlattened", "Softmax", {2, 4, 3, 3}, {}, {attr("axis", std::int64_t{2})}, 11, true},
        OpCase{"LogSoftmax", "LogSoftmax", {3, 21}, {}, {}},
        OpCase{"LogSoftmaxInside", "LogSoftmax", {3, 5, 4}, {}, {attr("axis", std::int64_t{1})}},
        OpCase{"Transposed", "ConvTranspose", {1, 4, 4, 5}, {{4, 3, 2, 2}, {3}}, {by2}},
        OpCase{"TransposedPadded",
               "ConvTranspose",
               {2, 4, 4, 4},
               {{4, 3, 3, 3}},
               {by2, around, attr("output_padding", Ints{1, 1})},
               17,
               true},
        OpCase{"TransposedGrouped",
               "ConvTranspose",
               {1, 6, 3, 4},
               {{6, 2, 3, 3}, {6}},
               {attr("group", std::int64_t{3})}},
        OpCase{"TransposedOneAxis", "ConvTranspose", {2, 3, 6}, {{3, 2, 3}, {2}}, {attr("strides", Ints{2})}},
        OpCase{"PRelu", "PRelu", {2, 3, 4, 4}, {{3, 1, 1}}, {}, 17, true},
        OpCase{"PReluOneSlope", "PRelu", {2, 12}, {{1}}, {}}),
    [](const auto& c) { return std::string(c.param.name); });

class BatchNormGradient : public testing::TestWithParam<Dims> {};

TEST_P(BatchNormGradient, MatchesDifferences) {
  const Dims& x = GetParam();
  for (const bool batch : {false, true}) {
    Net net;
    V mean = net.weight({x[1]});
    V variance = net.positive({x[1]});
    net.output(net.op("BatchNormalization",
                      {net.input("x", x), net.positive({x[1]}), net.weight({x[1]}), mean, variance}));
    const std::set<V> statistics{mean, variance};
    expect_gradients(net.done(), {.except = batch ? statistics : std::set<V>(), .batch_statistics = batch});
  }
}

INSTANTIATE_TEST_SUITE_P(All, BatchNormGradient,
                         testing::Values(Dims{3, 4, 5, 5}, Dims{2, 40, 3, 3}, Dims{9, 5}, Dims{4, 3, 7}));

TEST(BatchNormGradient, OfTheTrainingForm) {
  Net net(15);
  V x = net.input("x", {4, 3, 3, 2});
  V mean = net.weight({3});
  V variance = net.positive({3});
  const auto y = net.ops("BatchNormalization", {x, net.positive({3}), net.weight({3}), mean, variance}, 1,
                         {attr("training_mode", std::int64_t{1})});
  net.output(y[0]);
  const Model model = net.done();
  expect_gradients(model, {.except = {mean, variance}});
  expect_gradients(model, {.except = {mean, variance}, .portable = true});
}

TEST(LayerGradient, OfABlockWithCheckpoints) {
  Net net;
  V x = net.input("x", {3, 3, 8, 8});
  V y = net.sigmoid(net.bn(net.conv(x, 3, 6), 6));
  y = net.op("AveragePool", {y}, {k2, by2});
  y = net.add(y, net.bn(net.conv(net.op("Sigmoid", {y}), 6, 6), 6));
  net.output(net.op("GlobalAveragePool", {y}));
  const Model model = net.done();
  std::set<V> statistics;
  for (const Node& node : model.graph->nodes()) {
    if (node.is("BatchNormalization")) statistics.insert({node.input(3), node.input(4)});
  }
  for (const int stretches : {0, 3}) {
    expect_gradients(model, {.except = statistics, .batch_statistics = true, .stretches = stretches});
  }
}

}  // namespace
}  // namespace compressor::build

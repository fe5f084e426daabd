// Gradients of com.microsoft's activations and skip norms, and of rotary embeddings of either domain, against
// differences.
#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

/// A node of any domain.
std::vector<V> node_of(Net& net, const std::string& domain, const std::string& op, std::vector<V> inputs,
                       std::size_t outputs, const Settings& settings = {}) {
  NodeSpec spec;
  spec.op = op;
  spec.domain = domain;
  spec.inputs = std::move(inputs);
  for (std::size_t i = 0; i < outputs; ++i) spec.outputs.push_back("y" + std::to_string(i));
  for (const Setting& s : settings) {
    std::visit([&](const auto& value) { spec.attributes.emplace_back(s.name, value); }, s.value);
  }
  const Node& node = net.graph().add_node(std::move(spec));
  return {node.outputs().begin(), node.outputs().end()};
}

std::vector<V> microsoft(Net& net, const std::string& op, std::vector<V> inputs, std::size_t outputs,
                         const Settings& settings = {}) {
  return node_of(net, "com.microsoft", op, std::move(inputs), outputs, settings);
}

/// Both by the engine's kernels and by the portable ones.
void expect_both(Net& net, GradientCheck check = {}) {
  Model model = net.done();
  model.opsets.push_back({.domain = "com.microsoft", .version = 1});
  for (const bool portable : {false, true}) {
    check.portable = portable;
    expect_gradients(model, check);
  }
}

TEST(MicrosoftGradient, OfGelus) {
  for (const char* op : {"Gelu", "QuickGelu", "FastGelu"}) {
    for (const bool convolved : {false, true}) {
      Net net;
      V x = net.input("x", {2, 3, 4, 4});
      if (convolved) x = net.conv1x1(x, 3, 3);
      net.output(microsoft(net, op, {x}, 1)[0]);
      expect_both(net);
    }
  }
  Net net;
  net.output(microsoft(net, "QuickGelu", {net.input("x", {3, 5})}, 1, {attr("alpha", 0.8F)})[0]);
  expect_both(net);
}

TEST(MicrosoftGradient, OfGelusWithABias) {
  for (const char* op : {"BiasGelu", "FastGelu"}) {
    Net net;
    net.output(microsoft(net, op, {net.input("x", {2, 3, 5}), net.weight({5})}, 1)[0]);
    expect_both(net);
  }
}

class SkipNormGradient : public testing::TestWithParam<Dims> {};

TEST_P(SkipNormGradient, MatchesDifferences) {
  for (const bool simplified : {false, true}) {
    for (const bool bias : {false, true}) {
      for (const bool sum : {false, true}) {
        Net net;
        std::vector<V> inputs{net.input("x", {2, 4, 9}), net.input("skip", GetParam()),
                              net.weight({9}, 0.3, 1)};
        if (!simplified) inputs.push_back(net.weight({9}));
        if (bias) inputs.push_back(net.weight({9}));
        const auto y =
            microsoft(net, simplified ? "SkipSimplifiedLayerNormalization" : "SkipLayerNormalization", inputs,
                      4, {attr("epsilon", 1e-5F)});
        net.output(y[0]);
        if (sum) net.output(y[3]);
        expect_both(net);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, SkipNormGradient, testing::Values(Dims{2, 4, 9}, Dims{1, 4, 9}, Dims{4, 9}));

TEST(MicrosoftGradient, OfTheSumOfASkipNormAlone) {
  Net net;
  const auto y = microsoft(
      net, "SkipLayerNormalization",
      {net.input("x", {3, 5}), net.input("skip", {3, 5}), net.weight({5}), net.weight({5}), net.weight({5})},
      4);
  net.output(y[3]);
  expect_both(net);
}

struct RotaryCase {
  const char* name;
  Dims x, angles;
  Ints positions;
  Dims positions_shape;
  Settings settings = {};
};

void PrintTo(const RotaryCase& c, std::ostream* out) {
  *out << c.name;
}

class RotaryGradient : public testing::TestWithParam<RotaryCase> {};

TEST_P(RotaryGradient, MatchesDifferences) {
  const RotaryCase& c = GetParam();
  for (const char* domain : {"", "com.microsoft"}) {
    const bool own = *domain == 0;
    if (!own && c.positions.empty()) continue;
    Net net(23);
    V at = nullptr;
    if (!c.positions.empty()) {
      at = net.constant(Tensor::of(c.positions_shape, std::span<const std::int64_t>(c.positions)));
    }
    const V x = net.input("x", c.x);
    const V cosines = net.input("cosines", c.angles);
    const V sines = net.input("sines", c.angles);
    std::vector<V> inputs = own ? std::vector<V>{x, cosines, sines} : std::vector<V>{x, at, cosines, sines};
    if (own && at) inputs.push_back(at);
    net.output(node_of(net, domain, "RotaryEmbedding", inputs, 1, c.settings)[0]);
    expect_both(net);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RotaryGradient,
    testing::Values(
        RotaryCase{"Heads", {2, 3, 4, 6}, {7, 3}, {0, 1, 2, 3, 6, 2, 2, 0}, {2, 4}},
        RotaryCase{"Interleaved",
                   {2, 3, 4, 6},
                   {7, 3},
                   {0, 1, 2, 3, 6, 2, 2, 0},
                   {2, 4},
                   {attr("interleaved", std::int64_t{1})}},
        RotaryCase{
            "Rows", {2, 3, 8}, {5, 2}, {0, 1, 2, 4, 3, 0}, {2, 3}, {attr("num_heads", std::int64_t{2})}},
        RotaryCase{"InPart",
                   {1, 2, 3, 8},
                   {4, 2},
                   {3, 1, 1},
                   {1, 3},
                   {attr("rotary_embedding_dim", std::int64_t{4}), attr("num_heads", std::int64_t{2})}},
        RotaryCase{"WithoutPositions", {2, 3, 2, 4}, {2, 2, 2}, {}, {}}),
    [](const auto& c) { return std::string(c.param.name); });

// The forward pass computes in float16; a rule that took its numbers for floats would read past their end.
TEST(MicrosoftGradient, NumbersOfFloat16AreRefused) {
  for (const char* op : {"BiasGelu", "SkipSimplifiedLayerNormalization"}) {
    Net net;
    const V x = net.input("x", {2, 8});
    const auto half = [&](V v) { return net.op("Cast", {v}, {attr("to", std::int64_t{10})}); };
    std::vector<V> inputs{half(x), half(std::string(op) == "BiasGelu" ? net.weight({8}) : x)};
    if (std::string(op) != "BiasGelu") inputs.push_back(half(net.weight({8})));
    net.output(net.op("Cast", {microsoft(net, op, inputs, 1)[0]}, {attr("to", std::int64_t{1})}));
    Model model = net.done();
    model.opsets.push_back({.domain = "com.microsoft", .version = 1});
    const std::vector<float> numbers(16, 0.5F);
    ExecutorOptions options;
    options.training = true;
    options.gradients_of = {model.graph->inputs()[0]};
    Executor executor(model, options);
    executor.run({{"x", Tensor::of({2, 8}, std::span<const float>(numbers))}});
    const Executor::Gradients seeds{
        {model.graph->outputs()[0], Tensor::of({2, 8}, std::span<const float>(numbers))}};
    EXPECT_THROW(executor.backward(seeds), Error) << op;
  }
}

}  // namespace
}  // namespace compressor::build

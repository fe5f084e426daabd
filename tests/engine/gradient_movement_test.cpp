// Gradients of operators that move elements, against differences, plain and on values that lie channels-last.
#include <functional>

#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

/// x [2, 4, 6, 6]
using Rule = std::function<V(Net&, V)>;

struct MovementCase {
  const char* name;
  Rule rule;
  std::int64_t channels = 4;  ///< of the result; 0: it is no picture
  std::int64_t opset = 17;
};

void PrintTo(const MovementCase& c, std::ostream* out) {
  *out << c.name;
}

/// Scales of Resize are no variables.
GradientCheck without_settings(const Model& model) {
  GradientCheck check;
  for (const Node& node : model.graph->nodes()) {
    if (!node.is("Resize")) continue;
    for (std::size_t i = 1; i < node.inputs().size(); ++i) check.except.insert(node.input(i));
  }
  return check;
}

class MovementGradient : public testing::TestWithParam<MovementCase> {};

TEST_P(MovementGradient, MatchesDifferences) {
  const MovementCase& c = GetParam();
  Net net(c.opset);
  net.output(c.rule(net, net.input("x", {2, 4, 6, 6})));
  const Model model = net.done();
  expect_gradients(model, without_settings(model));
}

TEST_P(MovementGradient, MatchesDifferencesBehindConvolutions) {
  const MovementCase& c = GetParam();
  Net net(c.opset);
  V y = c.rule(net, net.conv1x1(net.input("x", {2, 3, 6, 6}), 3, 4));
  if (c.channels > 0) y = net.conv1x1(y, c.channels, 2);
  net.output(y);
  const Model model = net.done();
  expect_gradients(model, without_settings(model));
}

/// The engine's own kernels give what the portable ones give, in every order that the input may lie in.
TEST_P(MovementGradient, RunsAsThePortableKernel) {
  const MovementCase& c = GetParam();
  for (const bool behind : {false, true}) {
    Net net(c.opset);
    V x = net.input("x", {2, 4, 6, 6});
    if (behind) x = net.conv1x1(x, 4, 4);
    const V y = c.rule(net, x);
    net.output(y);
    const Model model = net.done();
    Random random(5);
    std::vector<float> numbers(2 * 4 * 6 * 6);
    for (float& v : numbers) v = static_cast<float>(random.normal());
    const Executor::Feeds feeds{{"x", Tensor::of({2, 4, 6, 6}, std::span<const float>(numbers))}};
    const Tensor fast = Executor(model).run(feeds)[0].tensor;
    const Tensor slow = Executor(model, {.portable = true}).run(feeds)[0].tensor;
    ASSERT_EQ(fast.shape, slow.shape);
    const std::vector<float> a = to_floats(fast);
    const std::vector<float> b = to_floats(slow);
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-5) << "at " << i;
  }
}

std::vector<MovementCase> movements() {
  const auto none = std::int64_t{0};
  return {
      {"Reshape",
       [](Net& n, V x) {
         return n.reshape(x, {2, -1, 12});
       },
       none},
      {"ReshapeSame",
       [](Net& n, V x) {
         return n.reshape(x, {0, 0, 0, 0});
       }},
      {"Flatten", [](Net& n, V x) { return n.op("Flatten", {x}); }, none},
      {"Unsqueeze", [](Net& n, V x) { return n.unsqueeze(x, {1}); }, none},
      {"Squeeze", [](Net& n, V x) { return n.squeeze(n.slice(x, 1, 2, 1), {1}); }, none},
      {"Identity", [](Net& n, V x) { return n.op("Identity", {x}); }},
      {"TransposeToLast",
       [](Net& n, V x) {
         return n.transpose(x, {0, 2, 3, 1});
       },
       none},
      {"TransposeThereAndBack",
       [](Net& n, V x) {
         return n.transpose(n.relu(n.transpose(x, {0, 2, 3, 1})), {0, 3, 1, 2});
       }},
      {"TransposeToFirst",
       [](Net& n, V x) {
         return n.transpose(x, {0, 3, 1, 2});
       },
       6},
      {"TransposeAll",
       [](Net& n, V x) {
         return n.transpose(x, {3, 1, 0, 2});
       },
       4},
      {"TransposeSwapped",
       [](Net& n, V x) {
         return n.transpose(x, {1, 0, 3, 2});
       },
       2},
      {"ConcatChannels",
       [](Net& n, V x) {
         return n.concat({x, n.relu(x), x});
       },
       12},
      {"ConcatRows",
       [](Net& n, V x) {
         return n.concat({x, n.sigmoid(x)}, 2);
       }},
      {"ConcatBatch",
       [](Net& n, V x) {
         return n.concat({n.sigmoid(x), x}, 0);
       }},
      {"ConcatLast",
       [](Net& n, V x) {
         return n.concat({x, n.weight({2, 4, 6, 2})}, -1);
       }},
      {"SplitChannels",
       [](Net& n, V x) {
         const auto parts = n.split(x, {1, 3});
         return n.concat({n.relu(parts[1]), parts[0]});
       }},
      {"SplitPartUnused",
       [](Net& n, V x) {
         return n.split(x, {1, 3})[1];
       },
       3},
      {"SplitRows",
       [](Net& n, V x) {
         return n.mul(n.split(x, {2, 4}, 2)[0], n.split(x, {4, 2}, 2)[1]);
       }},
      {"SplitEqual", [](Net& n, V x) { return n.ops("Split", {x}, 2, {attr("axis", std::int64_t{3})})[1]; }},
      {"SliceChannels", [](Net& n, V x) { return n.slice(x, 1, 4, 1, 2); }, 2},
      {"SliceBackwards", [](Net& n, V x) { return n.slice(x, -1, -100, 2, -2); }},
      {"SliceRows", [](Net& n, V x) { return n.slice(n.slice(x, 1, 5, 2), 0, 6, 3, 3); }},
      {"PadConstant",
       [](Net& n, V x) {
         return n.op("Pad", {x, n.ints({0, 0, 1, 2, 0, 0, 0, 1})});
       }},
      {"PadChannels",
       [](Net& n, V x) {
         return n.op("Pad", {x, n.ints({0, 1, 0, 0, 0, 2, 0, 0})});
       },
       7},
      {"PadAndCut",
       [](Net& n, V x) {
         return n.op("Pad", {x, n.ints({0, 0, -1, 2, 0, 0, 1, -2})});
       }},
      {"PadReflect",
       [](Net& n, V x) {
         return n.op("Pad", {x, n.ints({0, 0, 2, 1, 0, 0, 1, 3})}, {attr("mode", "reflect")});
       }},
      {"PadEdge",
       [](Net& n, V x) {
         return n.op("Pad", {x, n.ints({0, 1, 2, 0, 0, 0, 1, 3})}, {attr("mode", "edge")});
       },
       5},
      {"Expand",
       [](Net& n, V x) {
         return n.op("Expand", {n.slice(x, 0, 1, 1), n.ints({2, 5, 6, 6})});
       },
       5},
      {"ExpandRank",
       [](Net& n, V x) {
         return n.op("Expand", {x, n.ints({3, 1, 4, 1, 1})});
       },
       none},
      {"Tile",
       [](Net& n, V x) {
         return n.op("Tile", {x, n.ints({1, 2, 1, 3})});
       },
       8},
      {"DepthToSpace",
       [](Net& n, V x) { return n.op("DepthToSpace", {x}, {attr("blocksize", std::int64_t{2})}); }, 1},
      {"DepthToSpaceCrd",
       [](Net& n, V x) {
         return n.op("DepthToSpace", {n.concat({x, n.relu(x)})},
                     {attr("blocksize", std::int64_t{2}), attr("mode", "CRD")});
       },
       2},
      {"SpaceToDepth",
       [](Net& n, V x) { return n.op("SpaceToDepth", {x}, {attr("blocksize", std::int64_t{3})}); }, 36},
      {"ResizeNearest", [](Net& n, V x) { return n.resize2(x); }},
      {"ResizeLinear",
       [](Net& n, V x) {
         return n.op("Resize", {x, nullptr, nullptr, n.ints({2, 4, 9, 4})}, {attr("mode", "linear")});
       }},
      {"ResizeAlignCorners",
       [](Net& n, V x) {
         return n.op("Resize", {x, nullptr, nullptr, n.ints({2, 4, 11, 3})},
                     {attr("mode", "linear"), attr("coordinate_transformation_mode", "align_corners")});
       }},
      {"ResizeCubic",
       [](Net& n, V x) {
         return n.op("Resize", {x, nullptr, nullptr, n.ints({2, 4, 8, 9})}, {attr("mode", "cubic")});
       }},
      {"GatherChannels",
       [](Net& n, V x) {
         return n.gather(x, n.ints({3, 1, 1, -4}), 1);
       }},
      {"GatherOne", [](Net& n, V x) { return n.gather(x, n.integer(2), 2); }, none},
      {"GatherTable",
       [](Net& n, V x) {
         const std::vector<std::int64_t> at{0, 3, 2, 2, 1, 0};
         return n.gather(x, n.constant(Tensor::of({2, 3}, std::span<const std::int64_t>(at))), -1);
       },
       none},
  };
}

INSTANTIATE_TEST_SUITE_P(All, MovementGradient, testing::ValuesIn(movements()),
                         [](const auto& c) { return std::string(c.param.name); });

/// A weight that is looked up in a codebook, and an embedding: the gradient of the table.
TEST(GatherGradient, OfACodebook) {
  Net net;
  const V codebook = net.weight({16});
  std::vector<std::int64_t> codes(8 * 4 * 3 * 3);
  Random random(3);
  for (std::int64_t& c : codes) c = static_cast<std::int64_t>(random.uniform() * 16);
  const V w =
      net.gather(codebook, net.constant(Tensor::of({8, 4, 3, 3}, std::span<const std::int64_t>(codes))), 0);
  net.output(net.conv_with(net.input("x", {2, 4, 5, 5}), w, nullptr));
  expect_gradients(net.done());
}

TEST(GatherGradient, OfAnEmbedding) {
  Net net;
  const std::vector<std::int64_t> tokens{3, 0, 7, 3, 3, 9, -1, 1};
  const V table = net.weight({10, 24});
  const V x = net.gather(table, net.constant(Tensor::of({2, 4}, std::span<const std::int64_t>(tokens))), 0);
  net.output(net.dense(x, 24, 3));
  expect_gradients(net.done());
}

/// Many indices into a small table go piece by piece; the bits are those of one thread.
TEST(GatherGradient, AddsUpInAnyNumberOfPieces) {
  constexpr std::int64_t kCount = 1 << 18;
  Net net;
  const V table = net.weight({32});
  std::vector<std::int64_t> at(kCount);
  std::vector<double> expected(32);
  std::vector<float> seed(kCount);
  Random random(9);
  for (std::size_t i = 0; i < at.size(); ++i) {
    at[i] = static_cast<std::int64_t>(random.uniform() * 32);
    seed[i] = static_cast<float>(random.normal());
    expected[static_cast<std::size_t>(at[i])] += static_cast<double>(seed[i]);
  }
  const V y = net.gather(table, net.constant(Tensor::of({kCount}, std::span<const std::int64_t>(at))), 0);
  net.output(y);
  const Model model = net.done();
  Executor executor(model, {.training = true, .parameters = {table}});
  executor.run({});
  const auto gradients = executor.backward({{y, Tensor::of({kCount}, std::span<const float>(seed))}});
  const std::vector<float> found = to_floats(gradients.at(table));
  for (std::size_t i = 0; i < 32; ++i) EXPECT_NEAR(found[i], expected[i], 1e-3);
}

TEST(GatherGradient, ElementByElement) {
  Net net;
  const std::vector<std::int64_t> at{0, 2, 1, 1, 1, -1, 0, 0};
  net.output(
      net.op("GatherElements",
             {net.input("x", {3, 4}), net.constant(Tensor::of({2, 4}, std::span<const std::int64_t>(at)))},
             {attr("axis", std::int64_t{0})}));
  expect_gradients(net.done());
}

TEST(WhereGradient, GoesToTheOneThatWasTaken) {
  Net net;
  const V x = net.input("x", {2, 3, 4});
  const V y = net.weight({3, 1});
  const V condition = net.op("Greater", {net.input("c", {2, 1, 4}), net.number(0)});
  net.output(net.op("Where", {condition, x, y}));
  const Model model = net.done();
  GradientCheck check;
  for (const Value* v : model.graph->inputs()) {
    if (v->name() == "c") check.except.insert(v);
  }
  for (const Value* v : model.graph->initializers()) {
    if (v != y) check.except.insert(v);
  }
  expect_gradients(model, check);
}

}  // namespace
}  // namespace compressor::build

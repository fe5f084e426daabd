// Steps that depend on shapes alone are kept from run to run: a graph of open axes, run with one shape,
// again, and with others, against the portable kernels.
#include "engine/run_rules.h"

namespace compressor::build {
namespace {

/// y = x reshaped to [N, T, 2, C / 2], a mask of its length added, and its first sizes.
Model open_model() {
  Net net;
  const V x = net.input("x", {-1, -1, 8});
  const V shape = net.op("Shape", {x});
  const V batch = net.op("Gather", {shape, net.ints({0})});
  const V time = net.op("Gather", {shape, net.ints({1})});
  const V split = net.op(
      "Reshape", {x, net.op("Concat", {batch, time, net.ints({2, 4})}, {attr("axis", std::int64_t{0})})});
  const V zeros = net.op(
      "ConstantOfShape", {time},
      {attr("value", Tensor::of(Dims{1}, std::span<const std::int64_t>(std::vector<std::int64_t>{3})))});
  const V mask =
      net.op("Unsqueeze", {net.op("Cast", {zeros}, {attr("to", std::int64_t{1})}), net.ints({1, 2})});
  net.output(net.op("Add", {split, mask}));
  net.output(shape);
  return net.done();
}

Executor::Feeds feed(std::int64_t n, std::int64_t t) {
  std::vector<double> numbers(static_cast<std::size_t>(n * t * 8));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i) * 0.01;
  return {{"x", Tensor::of(DType::kFloat, {n, t, 8}, numbers)}};
}

TEST(Shapes, FollowTheirRun) {
  const Model model = open_model();
  Executor fast(model);
  Executor portable(model, {.portable = true});
  for (const auto& [n, t] : {std::pair(1, 5), {1, 5}, {2, 5}, {2, 7}, {2, 7}, {1, 5}}) {
    const auto found = fast.run(feed(n, t));
    const auto expected = portable.run(feed(n, t));
    for (std::size_t i = 0; i < found.size(); ++i) expect_near(found[i].tensor, expected[i].tensor, 1e-6);
  }
}

TEST(Shapes, AreShownToTapsEveryTime) {
  const Model model = open_model();
  const Value* shape = model.graph->outputs()[1];
  Executor executor(model, {.taps = {shape}});
  int seen = 0;
  executor.set_tap([&](const Value& value, const ops::RunValue&) { seen += &value == shape ? 1 : 0; });
  for (int run = 1; run <= 3; ++run) {
    executor.run(feed(2, 3));
    EXPECT_EQ(seen, run);
  }
}

}  // namespace
}  // namespace compressor::build

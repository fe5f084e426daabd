// Gradients of ScatterND, ScatterElements, Scatter and GatherND against differences: indices that come twice,
// that count from the end, and updates put in the place of what is read elsewhere.
#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

V table(Net& net, const Dims& dims, const Ints& values) {
  return net.constant(Tensor::of(dims, std::span<const std::int64_t>(values)));
}

/// Both by the engine's kernels and by the portable ones.
void expect_both(const Model& model) {
  for (const bool portable : {false, true}) expect_gradients(model, {.portable = portable});
}

struct ScatterCase {
  const char* name;
  Dims x, indices;
  Ints at;
  Dims updates;
  const char* reduction = "none";
  std::int64_t axis = 0;
};

void PrintTo(const ScatterCase& c, std::ostream* out) {
  *out << c.name;
}

class ScatterNdGradient : public testing::TestWithParam<ScatterCase> {};

TEST_P(ScatterNdGradient, MatchesDifferences) {
  const ScatterCase& c = GetParam();
  Net net;
  const V x = net.sigmoid(net.input("x", c.x));
  const V updates = net.input("updates", c.updates);
  net.output(
      net.op("ScatterND", {x, table(net, c.indices, c.at), updates}, {attr("reduction", c.reduction)}));
  expect_both(net.done());
}

INSTANTIATE_TEST_SUITE_P(
    All, ScatterNdGradient,
    testing::Values(ScatterCase{"Rows", {5, 4}, {2, 1}, {3, 0}, {2, 4}},
                    ScatterCase{"FromTheEnd", {5, 4}, {2, 1}, {-1, 1}, {2, 4}},
                    ScatterCase{"Twice", {5, 4}, {4, 1}, {3, 0, 3, -2}, {4, 4}},
                    ScatterCase{"Elements", {4, 3}, {2, 2, 2}, {0, 2, 3, 1, -1, 1, 2, -3}, {2, 2}},
                    ScatterCase{"Slices", {3, 4, 5}, {3, 2}, {0, 2, 2, -1, 0, 2}, {3, 5}},
                    ScatterCase{"Add", {5, 4}, {2, 1}, {3, 0}, {2, 4}, "add"},
                    ScatterCase{"AddTwice", {5, 4}, {4, 1}, {3, 0, 3, -2}, {4, 4}, "add"},
                    ScatterCase{"AddElements", {4, 3}, {3, 2}, {0, 2, 3, 1, -4, -1}, {3}, "add"}),
    [](const auto& c) { return std::string(c.param.name); });

class ScatterElementsGradient : public testing::TestWithParam<ScatterCase> {};

TEST_P(ScatterElementsGradient, MatchesDifferences) {
  const ScatterCase& c = GetParam();
  Net net;
  net.output(net.op("ScatterElements",
                    {net.input("x", c.x), table(net, c.indices, c.at), net.input("updates", c.updates)},
                    {attr("reduction", c.reduction), attr("axis", c.axis)}));
  expect_both(net.done());
}

INSTANTIATE_TEST_SUITE_P(
    All, ScatterElementsGradient,
    testing::Values(
        ScatterCase{"First", {4, 3}, {2, 3}, {1, 0, 2, 0, 2, 1}, {2, 3}},
        ScatterCase{"FewerColumns", {4, 3}, {2, 2}, {1, 0, -1, 2}, {2, 2}},
        ScatterCase{"Twice", {4, 3}, {3, 3}, {1, 0, 2, -3, 0, 1, 1, 3, -2}, {3, 3}},
        ScatterCase{"Second", {2, 5}, {2, 3}, {1, -1, 1, 0, 2, 3}, {2, 3}, "none", 1},
        ScatterCase{
            "Inside", {2, 4, 3}, {2, 2, 3}, {0, 1, 2, 0, 3, -2, 3, 3, 1, -1, 0, 1}, {2, 2, 3}, "none", -2},
        ScatterCase{"Add", {4, 3}, {2, 3}, {1, 0, 2, 0, 2, 1}, {2, 3}, "add"},
        ScatterCase{"AddTwice", {2, 5}, {2, 3}, {1, -4, 1, 0, 2, 3}, {2, 3}, "add", 1}),
    [](const auto& c) { return std::string(c.param.name); });

TEST(ScatterGradient, OfTheOldName) {
  Net net(10);
  net.output(net.op("Scatter",
                    {net.input("x", {3, 4}), table(net, {3, 2}, {0, 2, 3, 3, 1, 0}), net.input("u", {3, 2})},
                    {attr("axis", std::int64_t{1})}));
  expect_both(net.done());
}

TEST(ScatterGradient, IsRefusedForAProduct) {
  Net net;
  const V x = net.input("x", {3, 4});
  net.output(net.op("ScatterND", {x, net.ints({1}), net.input("u", {4})}, {attr("reduction", "mul")}));
  EXPECT_THROW(expect_gradients(net.done()), Error);
}

/// The tensor that is scattered into was made by an operator that reads its own output for its gradient, or
/// is an input of one that reads it, or has another reader, or nobody else asks for it.
TEST(ScatterGradient, LeavesWhatOthersRead) {
  for (const int use : {0, 1, 2, 3}) {
    Net net;
    const V x = net.input("x", {5, 4});
    const V data = use == 0 ? net.sigmoid(x) : net.add(x, net.weight({4}));
    V square = use == 1 ? net.mul(data, data) : nullptr;
    const V places = table(net, {3, 1}, {4, 2, 4});
    V y = net.op("ScatterND", {data, places, net.sigmoid(net.input("updates", {3, 4}))});
    if (use == 2) square = net.mul(data, data);
    y = net.mul(y, y);
    net.output(square ? net.add(y, square) : y);
    const Model model = net.done();
    for (const int stretches : {0, 3}) expect_gradients(model, {.stretches = stretches});
  }
}

struct GatherCase {
  const char* name;
  Dims x, indices;
  Ints at;
  std::int64_t batch = 0;
};

void PrintTo(const GatherCase& c, std::ostream* out) {
  *out << c.name;
}

class GatherNdGradient : public testing::TestWithParam<GatherCase> {};

TEST_P(GatherNdGradient, MatchesDifferences) {
  const GatherCase& c = GetParam();
  Net net;
  net.output(
      net.op("GatherND", {net.input("x", c.x), table(net, c.indices, c.at)}, {attr("batch_dims", c.batch)}));
  expect_both(net.done());
}

INSTANTIATE_TEST_SUITE_P(All, GatherNdGradient,
                         testing::Values(GatherCase{"Rows", {5, 4}, {3, 1}, {4, 0, 2}},
                                         GatherCase{"WideRowsTwice", {4, 20}, {4, 1}, {3, -1, 0, 3}},
                                         GatherCase{
                                             "Elements", {3, 4}, {2, 2, 2}, {0, 1, -1, -1, 2, 3, 0, 1}},
                                         GatherCase{"Slices", {3, 4, 5}, {3, 2}, {0, 3, 2, -2, 0, 3}},
                                         GatherCase{"Batches", {2, 4, 3}, {2, 3, 1}, {0, -1, 0, 2, 1, 2}, 1},
                                         GatherCase{"TwoBatchAxes", {2, 2, 3}, {2, 2, 1}, {0, -1, 1, 2}, 2}),
                         [](const auto& c) { return std::string(c.param.name); });

}  // namespace
}  // namespace compressor::build

// Gradients of reductions against differences.
#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

struct ReduceCase {
  const char* op;
  Ints axes;
  bool keep;
};

void PrintTo(const ReduceCase& c, std::ostream* out) {
  *out << c.op << " over " << c.axes.size() << " axes" << (c.keep ? ", kept" : "");
}

class ReduceGradient : public testing::TestWithParam<ReduceCase> {
 protected:
  static V reduce(Net& net, V x) {
    const ReduceCase& c = GetParam();
    const auto keep = attr("keepdims", std::int64_t{c.keep});
    if (c.axes.empty()) return net.op(c.op, {x}, {keep});
    if (std::string(c.op) == "ReduceSum") return net.op(c.op, {x, net.ints(c.axes)}, {keep});
    return net.op(c.op, {x}, {attr("axes", c.axes), keep});
  }
};

TEST_P(ReduceGradient, MatchesDifferences) {
  Net net;
  net.output(reduce(net, net.input("x", {2, 3, 4, 5})));
  // The logarithm of a sum asks for positive numbers; a product of many others is nearly nothing.
  const bool logarithm =
      GetParam().op == std::string("ReduceLogSum") || GetParam().op == std::string("ReduceProd");
  expect_gradients(net.done(), {.low = logarithm ? 0.2 : -1.5});
}

TEST_P(ReduceGradient, MatchesDifferencesBehindConvolutions) {
  Net net;
  V x = net.conv1x1(net.input("x", {2, 3, 4, 5}), 3, 4);
  if (std::string(GetParam().op) == "ReduceLogSum") x = net.op("Exp", {x});
  net.output(reduce(net, x));
  expect_gradients(net.done());
}

std::vector<ReduceCase> reductions() {
  std::vector<ReduceCase> list;
  for (const char* op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2",
                         "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd"}) {
    list.insert(list.end(), {{op, {}, true},
                             {op, {1}, true},
                             {op, {-1}, false},
                             {op, {2, 3}, false},
                             {op, {0, 2}, true},
                             {op, {0, 1, 2, 3}, false}});
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(All, ReduceGradient, testing::ValuesIn(reductions()));

TEST(ReduceGradientOfZeros, AProductKeepsWhatTheOthersMake) {
  Net net;
  net.output(net.op("ReduceProd", {net.input("x", {4, 3})},
                    {attr("axes", Ints{1}), attr("keepdims", std::int64_t{0})}));
  const std::vector<float> x{2, -3, 4, 0, -3, 4, 0, 5, 0, -1, -2, -3};
  expect_gradients(net.done(), {.feeds = {{"x", Tensor::of({4, 3}, std::span<const float>(x))}}});
}

}  // namespace
}  // namespace compressor::build

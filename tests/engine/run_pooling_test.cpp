// Pooling in the engine against the portable kernels.
#include "engine/run_rules.h"

namespace compressor::build {
namespace {

struct PoolCase {
  const char* name;
  Dims x;
  Settings settings;
  std::int64_t opset = 17;
};

void PrintTo(const PoolCase& c, std::ostream* out) {
  *out << c.name;
}

class PoolRun : public testing::TestWithParam<PoolCase> {};

TEST_P(PoolRun, IsAsPortable) {
  const PoolCase& c = GetParam();
  for (const char* op : {"MaxPool", "AveragePool"}) {
    for (const bool channels_last : {false, true}) {
      Net net(c.opset);
      net.output(net.op(op, {maybe_convolved(net, c.x, channels_last)}, c.settings));
      expect_fast_as_portable(net.done());
    }
  }
}

const Setting k2 = attr("kernel_shape", Ints{2, 2});
const Setting k3 = attr("kernel_shape", Ints{3, 3});
const Setting by2 = attr("strides", Ints{2, 2});

INSTANTIATE_TEST_SUITE_P(
    All, PoolRun,
    testing::Values(
        PoolCase{"Halved", {2, 3, 8, 6}, {k2, by2}},
        PoolCase{"Padded", {2, 64, 9, 9}, {k3, by2, attr("pads", Ints{1, 1, 1, 1})}},
        PoolCase{"ManyChannels", {1, 130, 5, 5}, {k3, attr("pads", Ints{1, 1, 1, 1})}},
        PoolCase{"Asymmetric", {1, 5, 7, 9}, {k3, by2, attr("pads", Ints{0, 1, 2, 0})}},
        PoolCase{"CountsPadding",
                 {1, 5, 7, 9},
                 {k3, by2, attr("pads", Ints{1, 1, 1, 1}), attr("count_include_pad", std::int64_t{1})}},
        PoolCase{"Ceil", {1, 4, 8, 8}, {k3, by2, attr("ceil_mode", std::int64_t{1})}},
        PoolCase{"CeilCountsPadding",
                 {1, 4, 8, 7},
                 {k3, by2, attr("pads", Ints{1, 1, 1, 1}), attr("ceil_mode", std::int64_t{1}),
                  attr("count_include_pad", std::int64_t{1})}},
        PoolCase{"SameUpper", {1, 4, 7, 6}, {k3, by2, attr("auto_pad", "SAME_UPPER")}},
        PoolCase{"SameLower", {1, 4, 7, 6}, {k2, by2, attr("auto_pad", "SAME_LOWER")}},
        PoolCase{"Dilated", {1, 4, 9, 9}, {k2, attr("dilations", Ints{2, 3})}, 19},
        PoolCase{"OneAxis", {2, 7, 12}, {attr("kernel_shape", Ints{3}), attr("strides", Ints{2})}},
        PoolCase{"Volume",
                 {1, 6, 5, 6, 7},
                 {attr("kernel_shape", Ints{2, 3, 2}), attr("pads", Ints{1, 0, 1, 0, 1, 0})}},
        PoolCase{"Large", {2, 40, 56, 56}, {k3, by2, attr("pads", Ints{1, 1, 1, 1})}}),
    [](const auto& c) { return std::string(c.param.name); });

TEST(PoolRun, GivesPositions) {
  Net net;
  const auto y = net.ops("MaxPool", {maybe_convolved(net, {1, 3, 6, 6}, true)}, 2, {k2, by2});
  net.output(y[0]);
  net.output(y[1], DType::kInt64);
  expect_fast_as_portable(net.done());
}

TEST(GlobalPoolRun, IsAsPortable) {
  for (const char* op : {"GlobalAveragePool", "GlobalMaxPool"}) {
    for (const Dims& x : {Dims{1, 3, 5, 7}, Dims{3, 200, 9, 9}, Dims{2, 64, 30}, Dims{2, 5, 3, 4, 5}}) {
      for (const bool channels_last : {false, true}) {
        Net net;
        net.output(net.op(op, {maybe_convolved(net, x, channels_last)}));
        expect_fast_as_portable(net.done());
      }
    }
  }
}

TEST(SpatialMeanRun, IsAsPortable) {
  for (const std::int64_t keep : {0, 1}) {
    for (const Ints& axes : {Ints{2, 3}, Ints{-1, -2}, Ints{1, 3}, Ints{3}}) {
      Net net(13);
      net.output(net.op("ReduceMean", {maybe_convolved(net, {2, 70, 9, 8}, true)},
                        {attr("axes", axes), attr("keepdims", keep)}));
      expect_fast_as_portable(net.done());
    }
  }
}

}  // namespace
}  // namespace compressor::build

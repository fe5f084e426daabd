// topologies: chains, residuals, grouped, depthwise and transposed convolutions, pixel and channel shuffles.
#include "passes/prune/topologies.h"

namespace compressor::topologies {
namespace {

using build::attr;
using build::Ints;
using build::Net;
using build::V;

V block(Net& n, V x, std::int64_t c, std::int64_t inner) {
  const V y = n.bn(n.conv(n.cbr(x, c, inner), inner, c), c);
  return n.relu(n.add(x, y));
}

Model chain() {
  Net n;
  V x = n.input("x", {1, 3, 8, 8});
  x = n.cbr(x, 3, 8);
  x = n.op("MaxPool", {x}, {attr("kernel_shape", Ints{2, 2}), attr("strides", Ints{2, 2})});
  x = n.relu(n.conv(x, 8, 12, {.bias = true}));
  n.output(n.linear(n.gap(x), 12, 5));
  return n.done();
}

Model residual_chain() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  x = block(n, x, 8, 6);
  x = block(n, x, 8, 8);
  n.output(n.linear(n.gap(x), 8, 5));
  return n.done();
}

Model residual_projection() {
  Net n;
  const V stem = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  const V main = n.bn(n.conv(n.cbr(stem, 8, 12, {.stride = 2}), 12, 16), 16);
  const V side = n.bn(n.conv(stem, 8, 16, {.kernel = 1, .stride = 2}), 16);
  const V x = block(n, n.relu(n.add(main, side)), 16, 8);
  n.output(n.linear(n.gap(x), 16, 5));
  return n.done();
}

/// Identity and projection side by side: x + conv1x1(x) + conv3x3(x), as re-parameterised nets train.
Model three_branch_sum() {
  Net n;
  const V stem = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  const V sum =
      n.op("Sum", {n.bn(stem, 8), n.bn(n.conv(stem, 8, 8, {.kernel = 1}), 8), n.bn(n.conv(stem, 8, 8), 8)});
  n.output(n.linear(n.gap(n.relu(sum)), 8, 5));
  return n.done();
}

/// Option A: the shortcut is subsampled, and padded with channels of zeros on both sides.
Model padded_shortcut() {
  Net n;
  const V stem = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  const V main = n.bn(n.conv(n.cbr(stem, 8, 12, {.stride = 2}), 12, 16), 16);
  V side = n.op("Slice", {stem, n.ints({0, 0}), n.ints({8, 8}), n.ints({2, 3}), n.ints({2, 2})});
  side = n.op("Pad", {side, n.ints({0, 4, 0, 0, 0, 4, 0, 0})});
  n.output(n.linear(n.gap(n.relu(n.add(main, side))), 16, 5));
  return n.done();
}

Model grouped() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 16);
  x = n.cbr(x, 16, 24, {.group = 4});
  x = n.cbr(x, 24, 10, {.kernel = 1});
  n.output(n.linear(n.gap(x), 10, 5));
  return n.done();
}

/// ResNeXt: 1x1, grouped 3x3, 1x1, added to the input.
Model grouped_bottleneck() {
  Net n;
  const V stem = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  V x = n.cbr(stem, 8, 16, {.kernel = 1});
  x = n.cbr(x, 16, 16, {.group = 4});
  x = n.relu(n.add(n.bn(n.conv(x, 16, 8, {.kernel = 1}), 8), stem));
  n.output(n.linear(n.gap(x), 8, 5));
  return n.done();
}

Model depthwise() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  x = n.cbr(x, 8, 8, {.group = 8});
  x = n.cbr(x, 8, 12, {.kernel = 1});
  n.output(n.linear(n.gap(x), 12, 5));
  return n.done();
}

/// Two filters for every input channel.
Model depthwise_multiplier() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  x = n.cbr(x, 8, 16, {.group = 8});
  x = n.cbr(x, 16, 12, {.kernel = 1});
  n.output(n.linear(n.gap(x), 12, 5));
  return n.done();
}

/// MobileNetV2: expand, depthwise, project, add; Clip as ReLU6.
Model inverted_residual() {
  Net n;
  const V lo = n.number(0), hi = n.number(6);
  const V stem = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  V x = n.op("Clip", {n.bn(n.conv(stem, 8, 24, {.kernel = 1}), 24), lo, hi});
  x = n.op("Clip", {n.bn(n.conv(x, 24, 24, {.group = 24}), 24), lo, hi});
  x = n.add(stem, n.bn(n.conv(x, 24, 8, {.kernel = 1}), 8));
  n.output(n.linear(n.gap(x), 8, 5));
  return n.done();
}

V shuffle(Net& n, V x, std::int64_t c, std::int64_t groups) {
  x = n.reshape(x, {1, groups, c / groups, 8, 8});
  return n.reshape(n.transpose(x, {0, 2, 1, 3, 4}), {1, c, 8, 8});
}

Model shuffle_v1() {
  Net n;
  const V stem = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 16);
  V x = n.cbr(stem, 16, 16, {.kernel = 1, .group = 4});
  x = shuffle(n, x, 16, 4);
  x = n.bn(n.conv(x, 16, 16, {.group = 16}), 16);
  x = n.bn(n.conv(x, 16, 16, {.kernel = 1, .group = 4}), 16);
  n.output(n.linear(n.gap(n.relu(n.add(stem, x))), 16, 5));
  return n.done();
}

V shuffle_v2_unit(Net& n, V x) {
  const auto halves = n.split(x, {8, 8});
  V y = n.cbr(halves[1], 8, 8, {.kernel = 1});
  y = n.bn(n.conv(y, 8, 8, {.group = 8}), 8);
  y = n.cbr(y, 8, 8, {.kernel = 1});
  return shuffle(n, n.concat({halves[0], y}), 16, 2);
}

Model shuffle_v2() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 16);
  x = shuffle_v2_unit(n, x);
  x = n.cbr(x, 16, 12, {.kernel = 1});
  n.output(n.linear(n.gap(x), 12, 5));
  return n.done();
}

Model shuffle_v2_twice() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 16);
  x = shuffle_v2_unit(n, shuffle_v2_unit(n, x));
  x = n.cbr(x, 16, 12, {.kernel = 1});
  n.output(n.linear(n.gap(x), 12, 5));
  return n.done();
}

Model transposed(std::int64_t group) {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 16, {.stride = 2});
  x = n.relu(n.bn(n.conv_transpose(x, 16, 12, group), 12));
  n.output(n.conv1x1(n.cbr(x, 12, 10), 10, 2));
  return n.done();
}

Model pixel_shuffle(const char* mode) {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  x = n.op("DepthToSpace", {n.conv(x, 8, 24, {.bias = true})},
           {attr("blocksize", std::int64_t{2}), attr("mode", mode)});
  n.output(n.conv1x1(n.relu(x), 6, 3));
  return n.done();
}

Model pixel_shuffle_by_reshape() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  x = n.reshape(n.conv(x, 8, 24, {.bias = true}), {1, 6, 2, 2, 8, 8});
  x = n.reshape(n.transpose(x, {0, 1, 4, 2, 5, 3}), {1, 6, 16, 16});
  n.output(n.conv1x1(n.relu(x), 6, 3));
  return n.done();
}

Model space_to_depth() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  x = n.op("SpaceToDepth", {x}, {attr("blocksize", std::int64_t{2})});
  x = n.cbr(x, 32, 12);
  n.output(n.linear(n.gap(x), 12, 5));
  return n.done();
}

Model conv_1d() {
  Net n;
  V x = n.cbr(n.input("x", {1, 4, 32}), 4, 8, {.kernel = 5, .dims = 1});
  x = n.cbr(x, 8, 12, {.stride = 2, .dims = 1});
  n.output(n.linear(n.gap(x), 12, 5));
  return n.done();
}

Model conv_3d() {
  Net n;
  V x = n.cbr(n.input("x", {1, 2, 4, 6, 6}), 2, 8, {.dims = 3});
  x = n.cbr(x, 8, 12, {.stride = 2, .dims = 3});
  n.output(n.linear(n.gap(x), 12, 5));
  return n.done();
}

}  // namespace

std::vector<Topology> conv_topologies() {
  std::vector<Topology> list;
  list.push_back({"chain", chain(), 4 + 6});
  list.push_back({"residual chain", residual_chain(), 4 + 3 + 4});
  list.push_back({"residual projection", residual_projection(), 4 + 6 + 8 + 4});
  list.push_back({"three-branch sum", three_branch_sum(), 4});
  // Channels of the shortcut, channels beside it, the inner ones.
  list.push_back({"padded shortcut", padded_shortcut(), 4 + 4 + 6});
  // 4 groups of 4 and of 6: half of each group, or two groups.
  list.push_back({"grouped", grouped(), 2 + 3 + 5, 2});
  list.push_back({"grouped bottleneck", grouped_bottleneck(), 4 + 2 + 2, 2});
  list.push_back({"depthwise", depthwise(), 4 + 6});
  list.push_back({"depthwise multiplier", depthwise_multiplier(), 1 + 6, 4});
  list.push_back({"inverted residual", inverted_residual(), 4 + 12});
  // The stem's groups and the channels in them; the shuffled ones are the stem's groups twice over.
  list.push_back({"shuffle v1", shuffle_v1(), 2, 2});
  // The branch reads 8, is 8 wide inside, and what it adds goes with what passes by.
  list.push_back({"shuffle v2", shuffle_v2(), 4 + 4 + 4 + 6, 4});
  // Of the 8 pairs of the first unit, 4 pass the second and go with two channels each of its branch, 4 feed
  // it.
  list.push_back({"shuffle v2 twice", shuffle_v2_twice(), 4 + 4 + 2 + 2 + 4 + 6, 2 + 2});
  list.push_back({"transposed", transposed(1), 8 + 6 + 5});
  list.push_back({"transposed grouped", transposed(4), 2 + 1 + 5, 2});
  list.push_back({"pixel shuffle DCR", pixel_shuffle("DCR"), 4 + 3});
  list.push_back({"pixel shuffle CRD", pixel_shuffle("CRD"), 4 + 3, 3});
  list.push_back({"pixel shuffle by reshape", pixel_shuffle_by_reshape(), 4 + 3, 3});
  list.push_back({"space to depth", space_to_depth(), 4 + 6});
  list.push_back({"conv 1d", conv_1d(), 4 + 6});
  list.push_back({"conv 3d", conv_3d(), 4 + 6});
  return list;
}

}  // namespace compressor::topologies

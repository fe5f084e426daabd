// topologies: branches that are split, laid side by side and added: dense blocks, Res2Net, U-Nets, HRNets.
#include "passes/prune/topologies.h"

namespace compressor::topologies {
namespace {

using build::attr;
using build::Ints;
using build::Net;
using build::V;

V stem(Net& n, std::int64_t c) {
  return n.cbr(n.input("x", {1, 3, 8, 8}), 3, c);
}

Model head(Net& n, V x, std::int64_t c) {
  n.output(n.linear(n.gap(x), c, 5));
  return n.done();
}

V max_pool(Net& n, V x) {
  return n.op("MaxPool", {x}, {attr("kernel_shape", Ints{2, 2}), attr("strides", Ints{2, 2})});
}

/// Every layer reads all before it, through a norm of its own.
Model dense_block() {
  Net n;
  V x = stem(n, 8);
  std::int64_t c = 8;
  for (int i = 0; i < 3; ++i) {
    const V y = n.conv(n.relu(n.bn(x, c)), c, 4);
    x = n.concat({x, y});
    c += 4;
  }
  return head(n, n.relu(n.bn(x, c)), c);
}

Model inception() {
  Net n;
  const V x = stem(n, 8);
  const V a = n.cbr(x, 8, 4, {.kernel = 1});
  const V b = n.cbr(n.cbr(x, 8, 6, {.kernel = 1}), 6, 8);
  const V c =
      n.cbr(n.op("AveragePool", {x}, {attr("kernel_shape", Ints{3, 3}), attr("pads", Ints{1, 1, 1, 1})}), 8,
            4, {.kernel = 1});
  const V all = n.concat({a, b, x, c});
  return head(n, n.cbr(all, 24, 6), 6);
}

Model cascade() {
  Net n;
  const V x = stem(n, 16);
  const auto first = n.split(x, {8, 8});
  const V a = n.cbr(first[1], 8, 8);
  const V joined = n.concat({a, first[0]});
  const auto second = n.split(joined, {4, 12});
  const V b = n.cbr(second[1], 12, 4);
  return head(n, n.cbr(n.concat({second[0], n.add(b, second[0]), second[1]}), 20, 6), 6);
}

/// ELAN / C2f: each new branch is kept, all are concatenated.
Model elan() {
  Net n;
  const V x = n.cbr(stem(n, 8), 8, 16, {.kernel = 1});
  const auto halves = n.split(x, {8, 8});
  const V a = n.add(halves[1], n.cbr(n.cbr(halves[1], 8, 6), 6, 8));
  const V b = n.add(a, n.cbr(n.cbr(a, 8, 6), 6, 8));
  return head(n, n.cbr(n.concat({halves[0], halves[1], a, b}), 32, 12, {.kernel = 1}), 12);
}

Model cross_stage_partial() {
  Net n;
  const V x = stem(n, 8);
  const V left = n.cbr(x, 8, 8, {.kernel = 1});
  V right = n.cbr(x, 8, 8, {.kernel = 1});
  right = n.add(right, n.cbr(n.cbr(right, 8, 4, {.kernel = 1}), 4, 8));
  return head(n, n.cbr(n.concat({right, left}), 16, 10, {.kernel = 1}), 10);
}

/// Pooled three times over, and all laid side by side.
Model pyramid_pooling() {
  Net n;
  const V x = n.cbr(stem(n, 8), 8, 4, {.kernel = 1});
  const auto pool = [&](V v) {
    return n.op("MaxPool", {v}, {attr("kernel_shape", Ints{5, 5}), attr("pads", Ints{2, 2, 2, 2})});
  };
  const V a = pool(x), b = pool(a), c = pool(b);
  return head(n, n.cbr(n.concat({x, a, b, c}), 16, 6, {.kernel = 1}), 6);
}

Model res2net(bool by_slices) {
  Net n;
  const V x = stem(n, 8);
  const V wide = n.cbr(x, 8, 16, {.kernel = 1});
  std::vector<V> parts;
  if (by_slices) {
    for (std::int64_t i = 0; i < 4; ++i)
      parts.push_back(n.slice(wide, 4 * i, i == 3 ? INT64_MAX : 4 * i + 4, 1));
  } else {
    parts = n.split(wide, {4, 4, 4, 4});
  }
  V y = n.cbr(parts[1], 4, 4);
  std::vector<V> out{parts[0], y};
  for (std::size_t i = 2; i < 4; ++i) {
    y = n.cbr(n.add(y, parts[i]), 4, 4);
    out.push_back(y);
  }
  const V back = n.bn(n.conv(n.concat(out), 16, 8, {.kernel = 1}), 8);
  return head(n, n.relu(n.add(x, back)), 8);
}

Model u_net(bool transposed) {
  Net n;
  const V a = n.cbr(stem(n, 8), 8, 8);
  const V b = n.cbr(max_pool(n, a), 8, 12);
  const V c = n.cbr(max_pool(n, b), 12, 16);
  const V up_b = transposed ? n.conv_transpose(c, 16, 12) : n.resize2(c);
  const V d = n.cbr(n.concat({up_b, b}), transposed ? 24 : 28, 12);
  const V up_a = transposed ? n.conv_transpose(d, 12, 8) : n.resize2(d);
  const V e = n.cbr(n.concat({up_a, a}), transposed ? 16 : 20, 8);
  n.output(n.conv1x1(e, 8, 2));
  return n.done();
}

/// Two resolutions that exchange what they know.
Model high_resolution() {
  Net n;
  const V x = stem(n, 8);
  const V hi = n.cbr(x, 8, 8);
  const V lo = n.cbr(x, 8, 16, {.stride = 2});
  const V hi2 = n.cbr(hi, 8, 8);
  const V lo2 = n.cbr(lo, 16, 16);
  const V hi3 = n.relu(n.add(hi2, n.resize2(n.bn(n.conv(lo2, 16, 8, {.kernel = 1}), 8))));
  const V lo3 = n.relu(n.add(lo2, n.bn(n.conv(hi2, 8, 16, {.stride = 2}), 16)));
  return head(n, n.cbr(n.concat({hi3, n.resize2(lo3)}), 24, 6, {.kernel = 1}), 6);
}

/// Feature pyramid: laterals added on the way down, every level an output.
Model feature_pyramid() {
  Net n;
  const V a = stem(n, 8);
  const V b = n.cbr(a, 8, 12, {.stride = 2});
  const V c = n.cbr(b, 12, 16, {.stride = 2});
  const V pc = n.conv1x1(c, 16, 8);
  const V pb = n.add(n.conv1x1(b, 12, 8), n.resize2(pc));
  const V pa = n.add(n.conv1x1(a, 8, 8), n.resize2(pb));
  for (const V p : {pa, pb, pc}) n.output(n.conv1x1(n.cbr(p, 8, 6), 6, 4));
  return n.done();
}

/// One head for all levels: the same weights read twice.
Model tied_head() {
  Net n;
  const V a = stem(n, 8);
  const V b = n.cbr(a, 8, 8, {.stride = 2});
  const V w1 = n.weight({6, 8, 3, 3}), b1 = n.weight({6}), w2 = n.weight({4, 6, 1, 1});
  for (const V p : {a, b}) {
    const V y = n.relu(n.conv_with(p, w1, b1));
    n.output(n.conv_with(y, w2, nullptr, {.kernel = 1}));
  }
  return n.done();
}

/// The same layer applied three times to its own result.
Model recursive() {
  Net n;
  V x = stem(n, 8);
  const V w = n.weight({8, 8, 3, 3});
  for (int i = 0; i < 3; ++i) x = n.relu(n.add(x, n.conv_with(x, w, nullptr)));
  return head(n, x, 8);
}

/// Channels in another order, by constant indices, in an initializer and in a Constant node.
Model permuted() {
  Net n;
  V x = stem(n, 8);
  x = n.gather(x, n.ints({7, 2, 5, 0, 3, 6, 1, 4}), 1);
  x = n.cbr(x, 8, 8);
  x = n.gather(x, n.constant_node(n.ints({6, 4, 2, 0, -1, -3, -5, -7})), 1);
  return head(n, n.cbr(x, 8, 6), 6);
}

/// Every second channel goes one way, a range backwards another, a picked few a third.
Model strided_slices() {
  Net n;
  const V x = stem(n, 16);
  const V even = n.slice(x, 0, 16, 1, 2), odd = n.slice(x, 1, INT64_MAX, 1, 2);
  const V back = n.slice(x, -1, INT64_MIN, 1, -1);
  const V a = n.cbr(n.mul(even, odd), 8, 6);
  return head(n, n.concat({a, back}), 22);
}

/// Focus: pixels of the picture become channels by slices, before the first convolution.
Model focus() {
  Net n;
  const V x = n.input("x", {1, 3, 8, 8});
  std::vector<V> parts;
  for (const std::int64_t dx : {0, 1}) {
    for (const std::int64_t dy : {0, 1}) parts.push_back(n.slice(n.slice(x, dy, 8, 2, 2), dx, 8, 3, 2));
  }
  return head(n, n.cbr(n.cbr(n.concat(parts), 12, 8), 8, 6), 6);
}

/// The stem is an output, so it stays; the rest may go.
Model visible_features() {
  Net n;
  const V x = stem(n, 8);
  n.output(x);
  return head(n, n.cbr(x, 8, 12), 12);
}

/// Coordinates laid beside the features: constant channels.
Model coordinates() {
  Net n;
  const V x = stem(n, 8);
  const V y = n.cbr(n.concat({x, n.weight({1, 2, 8, 8})}), 10, 12);
  return head(n, y, 12);
}

}  // namespace

std::vector<Topology> branch_topologies() {
  std::vector<Topology> list;
  list.push_back({"dense block", dense_block(), 4 + 2 + 2 + 2});
  list.push_back({"inception", inception(), 4 + 2 + 3 + 4 + 2 + 3});
  list.push_back({"cascaded concat and split", cascade(), 4 + 4 + 2 + 2 + 3});
  list.push_back({"elan", elan(), 4 + 4 + 4 + 3 + 3 + 6});
  list.push_back({"cross stage partial", cross_stage_partial(), 4 + 4 + 4 + 2 + 5});
  list.push_back({"pyramid pooling", pyramid_pooling(), 4 + 2 + 3});
  list.push_back({"res2net", res2net(false), 4 + 4 * 2 + 2});
  list.push_back({"res2net by slices", res2net(true), 4 + 4 * 2 + 2});
  list.push_back({"u-net, resized", u_net(false), 4 + 4 + 6 + 8 + 6 + 4});
  list.push_back({"u-net, transposed", u_net(true), 4 + 4 + 6 + 8 + 6 + 6 + 4 + 4});
  list.push_back({"high resolution", high_resolution(), 4 + 4 + 8 + 4 + 8 + 3});
  list.push_back({"feature pyramid", feature_pyramid(), 4 + 6 + 8 + 4 + 3 + 3 + 3});
  list.push_back({"tied head", tied_head(), 4 + 3});
  list.push_back({"recursive", recursive(), 4});
  list.push_back({"permuted", permuted(), 4 + 4 + 3});
  list.push_back({"strided slices", strided_slices(), 4 + 3});
  list.push_back({"focus", focus(), 4 + 3});
  list.push_back({"visible features", visible_features(), 6});
  list.push_back({"coordinates", coordinates(), 4 + 6});
  return list;
}

}  // namespace compressor::topologies

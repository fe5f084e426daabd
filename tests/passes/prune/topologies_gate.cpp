// topologies: gates over channels (squeeze and excite, selective kernels, split attention) and unusual
// weights.
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

V pool(Net& n, V x) {
  return n.op("GlobalAveragePool", {x});
}

Model squeeze_excite() {
  Net n;
  const V x = stem(n, 8);
  V gate = n.relu(n.conv1x1(pool(n, x), 8, 4));
  gate = n.sigmoid(n.conv1x1(gate, 4, 8));
  return head(n, n.cbr(n.mul(x, gate), 8, 6), 6);
}

/// ReduceMean, Gemms and an Unsqueeze; HardSigmoid; inside a residual.
Model squeeze_excite_linear() {
  Net n;
  const V x = stem(n, 8);
  const V y = n.bn(n.conv(x, 8, 8), 8);
  V gate = n.op("ReduceMean", {y}, {attr("axes", Ints{2, 3}), attr("keepdims", std::int64_t{0})});
  gate = n.op("HardSigmoid", {n.linear(n.relu(n.linear(gate, 8, 4)), 4, 8)});
  return head(n, n.relu(n.add(x, n.mul(y, n.unsqueeze(gate, {2, 3})))), 8);
}

/// x (1 + gate): an addition and a product.
Model scale_and_shift() {
  Net n;
  const V x = stem(n, 8);
  const V code = n.relu(n.linear(n.gap(x), 8, 6));
  const V scale = n.reshape(n.linear(code, 6, 8), {-1, 8, 1, 1});
  const V shift = n.reshape(n.linear(code, 6, 8), {-1, 8, 1, 1});
  const V y = n.add(n.mul(n.bn(n.conv(x, 8, 8), 8), scale), shift);
  return head(n, n.cbr(n.relu(y), 8, 6), 6);
}

/// A convolution over the channel axis mixes neighbours: its channels stay.
Model efficient_channel_attention() {
  Net n;
  const V x = stem(n, 8);
  V gate = n.transpose(n.squeeze(pool(n, x), {-1}), {0, 2, 1});
  gate = n.conv_with(gate, n.weight({1, 1, 3}), nullptr, {.dims = 1});
  gate = n.sigmoid(n.unsqueeze(n.transpose(gate, {0, 2, 1}), {-1}));
  return head(n, n.cbr(n.mul(x, gate), 8, 6), 6);
}

/// A gate of one channel made from the mean and the maximum over channels: these stay.
Model spatial_attention() {
  Net n;
  const V x = stem(n, 8);
  const V mean = n.op("ReduceMean", {x}, {attr("axes", Ints{1})});
  const V max = n.op("ReduceMax", {x}, {attr("axes", Ints{1})});
  const V gate = n.sigmoid(n.conv(n.concat({mean, max}), 2, 1));
  return head(n, n.cbr(n.mul(x, gate), 8, 6), 6);
}

/// Two kernels; a softmax between them for every channel.
Model selective_kernels() {
  Net n;
  const V x = stem(n, 8);
  const V a = n.cbr(x, 8, 8), b = n.cbr(x, 8, 8, {.kernel = 5});
  const V code = n.relu(n.linear(n.gap(n.add(a, b)), 8, 4));
  const V logits = n.concat({n.unsqueeze(n.linear(code, 4, 8), {1}), n.unsqueeze(n.linear(code, 4, 8), {1})});
  const auto gates = n.split(n.softmax(logits, 1), {1, 1});
  const auto use = [&](V v, V gate) { return n.mul(v, n.reshape(gate, {-1, 8, 1, 1})); };
  return head(n, n.cbr(n.add(use(a, gates[0]), use(b, gates[1])), 8, 6), 6);
}

/// ResNeSt: two cardinal splits weighted against each other.
Model split_attention() {
  Net n;
  const V x = stem(n, 8);
  const V two = n.cbr(x, 8, 16, {.group = 2});
  const V splits = n.reshape(two, {1, 2, 8, 8, 8});
  const V sum = n.op("ReduceSum", {splits, n.ints({1})}, {attr("keepdims", std::int64_t{0})});
  V gate = n.conv1x1(n.relu(n.bn(n.conv1x1(pool(n, sum), 8, 4), 4)), 4, 16);
  gate = n.softmax(n.transpose(n.reshape(gate, {1, 1, 2, 8}), {0, 2, 1, 3}), 1);
  gate = n.reshape(n.reshape(gate, {1, 16}), {1, 2, 8, 1, 1});
  const V y = n.op("ReduceSum", {n.mul(splits, gate), n.ints({1})}, {attr("keepdims", std::int64_t{0})});
  return head(n, n.relu(n.bn(n.conv1x1(y, 8, 6), 6)), 6);
}

/// Half of the channels gate the other half, as a split and as two slices.
Model gated_linear_unit() {
  Net n;
  V x = stem(n, 8);
  const auto halves = n.split(n.conv1x1(x, 8, 16), {8, 8});
  x = n.mul(halves[0], n.sigmoid(halves[1]));
  const V wide = n.conv1x1(x, 8, 12);
  x = n.mul(n.slice(wide, 0, 6, 1), n.op("Tanh", {n.slice(wide, 6, 12, 1)}));
  return head(n, n.cbr(x, 6, 4), 4);
}

/// Weights that reach their layers through Transpose, Reshape, Identity and Constant nodes.
Model weights_through_nodes() {
  Net n;
  V x = n.conv_with(n.input("x", {1, 3, 8, 8}), n.constant_node(n.weight({8, 3, 3, 3})),
                    n.constant_node(n.weight({8})));
  x = n.conv_with(n.relu(x), n.transpose(n.weight({8, 12, 3, 3}), {1, 0, 2, 3}),
                  n.op("Identity", {n.weight({12})}));
  x = n.gap(n.relu(x));
  x = n.relu(n.add(n.matmul(x, n.transpose(n.constant_node(n.weight({10, 12})), {1, 0})), n.weight({10})));
  n.output(n.linear(x, 10, 5));
  return n.done();
}

/// (w - mean) / std over each filter, computed in the graph: filters may go, what they read may not.
Model standardised_weights() {
  Net n;
  const auto standard = [&](std::int64_t in, std::int64_t out) {
    const V w = n.weight({out, in, 3, 3});
    const V centred = n.op("Sub", {w, n.op("ReduceMean", {w}, {attr("axes", Ints{1, 2, 3})})});
    const V variance = n.op("ReduceMean", {n.mul(centred, centred)}, {attr("axes", Ints{1, 2, 3})});
    return n.op("Div", {centred, n.op("Sqrt", {n.add(variance, n.number(1e-5F))})});
  };
  V x = n.conv_with(n.input("x", {1, 3, 8, 8}), standard(3, 8), nullptr);
  x = n.relu(n.bn(x, 8));
  x = n.relu(n.conv_with(x, standard(8, 12), n.weight({12})));
  return head(n, n.cbr(x, 12, 6), 6);
}

/// Slopes for every channel.
Model parametric_relu() {
  Net n;
  V x = n.conv(n.input("x", {1, 3, 8, 8}), 3, 8);
  x = n.op("PRelu", {x, n.weight({8, 1, 1})});
  x = n.op("PRelu", {n.conv(x, 8, 6), n.weight({1})});
  return head(n, x, 6);
}

/// Constants of every channel beside the layers: layer scale, a bias of its own, a division, a Where.
Model constants_per_channel() {
  Net n;
  V x = n.conv(n.input("x", {1, 3, 8, 8}), 3, 8);
  x = n.op("Div", {n.op("Sub", {x, n.weight({1, 8, 1, 1})}), n.positive({8, 1, 1})});
  x = n.mul(n.add(x, n.weight({8, 1, 1})), n.weight({1, 8, 1, 1}));
  const V y = n.op("Where", {n.op("Greater", {x, n.number(0)}), x, n.mul(x, n.number(0.1F))});
  return head(n, n.cbr(y, 8, 6), 6);
}

}  // namespace

std::vector<Topology> gate_topologies() {
  std::vector<Topology> list;
  list.push_back({"squeeze and excite", squeeze_excite(), 4 + 2 + 3});
  list.push_back({"squeeze and excite, linear", squeeze_excite_linear(), 4 + 2});
  list.push_back({"scale and shift", scale_and_shift(), 4 + 3 + 4 + 3});
  list.push_back({"efficient channel attention", efficient_channel_attention(), 3});
  list.push_back({"spatial attention", spatial_attention(), 3, 0, 4 + 3});
  list.push_back({"selective kernels", selective_kernels(), 4 + 4 + 2 + 3});
  list.push_back({"split attention", split_attention(), 2 + 4 + 2 + 3});
  list.push_back({"gated linear unit", gated_linear_unit(), 4 + 4 + 3 + 2});
  list.push_back({"weights through nodes", weights_through_nodes(), 4 + 6 + 5});
  list.push_back({"standardised weights", standardised_weights(), 4 + 6 + 3});
  list.push_back({"parametric relu", parametric_relu(), 4 + 3});
  list.push_back({"constants per channel", constants_per_channel(), 4 + 3});
  return list;
}

}  // namespace compressor::topologies

// topologies: norms over groups, instances and channels, and the networks built around them.
#include "passes/prune/topologies.h"

namespace compressor::topologies {
namespace {

using build::attr;
using build::Ints;
using build::Net;
using build::V;

V image(Net& n) {
  return n.input("x", {1, 3, 8, 8});
}

Model head(Net& n, V x, std::int64_t c) {
  n.output(n.linear(n.gap(x), c, 5));
  return n.done();
}

Model instance_norm() {
  Net n;
  V x = n.conv(image(n), 3, 8);
  x = n.relu(n.op("InstanceNormalization", {x, n.positive({8}), n.weight({8})}));
  return head(n, n.cbr(x, 8, 6), 6);
}

/// Whole groups may go; a channel of a group may not.
Model group_norm() {
  Net n(21);
  V x = n.conv(image(n), 3, 16);
  x = n.op("GroupNormalization", {x, n.positive({16}), n.weight({16})},
           {attr("num_groups", std::int64_t{4})});
  return head(n, n.cbr(n.relu(x), 16, 6), 6);
}

/// The same as PyTorch writes it before opset 18.
Model group_norm_by_instance_norm() {
  Net n;
  V x = n.conv(image(n), 3, 16);
  x = n.reshape(x, {0, 4, -1});
  x = n.op("InstanceNormalization", {x, n.positive({4}), n.weight({4})});
  x = n.reshape(x, {1, 16, 8, 8});
  x = n.add(n.mul(x, n.positive({16, 1, 1})), n.weight({16, 1, 1}));
  return head(n, n.cbr(n.relu(x), 16, 6), 6);
}

/// Linear layers with BatchNorm on their two axes.
Model perceptron_with_batch_norm() {
  Net n;
  V x = n.op("Flatten", {n.input("x", {2, 3, 4})});
  x = n.relu(n.bn(n.linear(x, 12, 16), 16));
  x = n.relu(n.bn(n.linear(x, 16, 8), 8));
  n.output(n.linear(x, 8, 5));
  return n.done();
}

/// A norm over channels: these stay, the ones after it may go.
Model local_response_norm() {
  Net n;
  V x = n.op("LRN", {n.relu(n.conv(image(n), 3, 8))}, {attr("size", std::int64_t{3})});
  return head(n, n.cbr(x, 8, 6), 6);
}

Model unit_length() {
  Net n;
  const V x = n.gap(n.cbr(image(n), 3, 8));
  const V norm = n.op("ReduceL2", {x}, {attr("axes", Ints{1}), attr("keepdims", std::int64_t{1})});
  n.output(n.linear(n.relu(n.linear(n.op("Div", {x, norm}), 8, 6)), 6, 5));
  return n.done();
}

/// Depthwise convolution, norm over channels as the last axis, two linear layers, layer scale.
Model convnext() {
  Net n;
  const V x = n.conv(image(n), 3, 8);
  V y = n.transpose(n.conv(x, 8, 8, {.kernel = 7, .group = 8, .bias = true}), {0, 2, 3, 1});
  y = n.dense(n.layer_norm(y, 8), 8, 16);
  // The exact form of GELU that exporters write.
  const V erf = n.op("Erf", {n.op("Div", {y, n.number(1.41421356F)})});
  y = n.mul(n.mul(y, n.add(erf, n.number(1))), n.number(0.5F));
  y = n.mul(n.dense(y, 16, 8), n.weight({8}));
  const V z = n.add(x, n.transpose(y, {0, 3, 1, 2}));
  return head(n, n.cbr(z, 8, 6), 6);
}

/// The same norm as separate nodes.
Model layer_norm_by_nodes() {
  Net n;
  const V x = n.dense(n.input("x", {1, 6, 12}), 12, 8);
  const V centred = n.op("Sub", {x, n.op("ReduceMean", {x}, {attr("axes", Ints{-1})})});
  const V variance = n.op("ReduceMean", {n.op("Pow", {centred, n.number(2)})}, {attr("axes", Ints{-1})});
  V y = n.op("Div", {centred, n.op("Sqrt", {n.add(variance, n.number(1e-5F))})});
  y = n.add(n.mul(y, n.positive({8})), n.weight({8}));
  n.output(n.dense(n.relu(n.dense(y, 8, 16)), 16, 4));
  return n.done();
}

/// Patches, then linear layers over tokens and over channels in turn.
Model mixer() {
  Net n;
  V x = n.conv(image(n), 3, 8, {.kernel = 2, .stride = 2, .bias = true, .pad = 0});
  x = n.transpose(n.reshape(x, {1, 8, -1}), {0, 2, 1});
  V y = n.transpose(n.layer_norm(x, 8), {0, 2, 1});
  y = n.dense(n.op("Tanh", {n.dense(y, 16, 12)}), 12, 16);
  x = n.add(x, n.transpose(y, {0, 2, 1}));
  x = n.add(x, n.dense(n.relu(n.dense(n.layer_norm(x, 8), 8, 20)), 20, 8));
  x = n.op("ReduceMean", {n.layer_norm(x, 8)}, {attr("axes", Ints{1}), attr("keepdims", std::int64_t{0})});
  n.output(n.linear(x, 8, 5));
  return n.done();
}

/// gMLP: half of the hidden channels, mixed over tokens, gate the other half; no norm on the gate.
Model spatial_gating() {
  Net n;
  const V x = n.input("x", {1, 6, 8});
  const auto halves = n.split(n.op("Tanh", {n.dense(n.layer_norm(x, 8), 8, 16)}), {8, 8}, 2);
  const V gate = n.conv_with(halves[1], n.weight({6, 6, 1}), n.weight({6}), {.kernel = 1, .dims = 1});
  n.output(n.add(x, n.dense(n.mul(halves[0], gate), 8, 8)));
  return n.done();
}

/// SwiGLU between root-mean-square norms.
Model gated_perceptron() {
  Net n;
  const V x = n.input("x", {1, 6, 8});
  const V squares = n.op("ReduceMean", {n.mul(x, x)}, {attr("axes", Ints{-1})});
  const V rms = n.op("Sqrt", {n.add(squares, n.number(1e-6F))});
  const V y = n.mul(n.op("Div", {x, rms}), n.positive({8}));
  const V a = n.matmul(y, n.weight({8, 12})), b = n.matmul(y, n.weight({8, 12}));
  n.output(n.add(x, n.matmul(n.mul(n.mul(a, n.sigmoid(a)), b), n.weight({12, 8}))));
  return n.done();
}

}  // namespace

std::vector<Topology> norm_topologies() {
  std::vector<Topology> list;
  list.push_back({"instance norm", instance_norm(), 4 + 3});
  list.push_back({"group norm", group_norm(), 2 + 3, 2});
  list.push_back({"group norm by instance norm", group_norm_by_instance_norm(), 2 + 3, 2});
  list.push_back({"perceptron with batch norm", perceptron_with_batch_norm(), 8 + 4});
  list.push_back({"local response norm", local_response_norm(), 3, 0, 4 + 3});
  list.push_back({"unit length", unit_length(), 4 + 3});
  list.push_back({"convnext", convnext(), 8 + 3, 0, 4 + 8 + 3});
  list.push_back({"layer norm by nodes", layer_norm_by_nodes(), 8, 0, 4 + 8});
  list.push_back({"mixer", mixer(), 6 + 10, 0, 0});
  list.push_back({"spatial gating", spatial_gating(), 4});
  list.push_back({"gated perceptron", gated_perceptron(), 6});
  return list;
}

}  // namespace compressor::topologies

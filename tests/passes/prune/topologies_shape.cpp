// topologies: heads that flatten pictures, shapes that are computed, and constants that hold channel counts.
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

V max_pool(Net& n, V x) {
  return n.op("MaxPool", {x}, {attr("kernel_shape", Ints{2, 2}), attr("strides", Ints{2, 2})});
}

/// LeNet: 12 maps of 4 x 4 become 192 numbers, and each of them knows its map.
Model flattened_head() {
  Net n;
  V x = max_pool(n, n.cbr(image(n), 3, 12));
  x = n.op("Flatten", {x});
  n.output(n.linear(n.relu(n.linear(x, 192, 16)), 16, 5));
  return n.done();
}

Model reshaped_head(const Ints& target) {
  Net n;
  V x = n.reshape(max_pool(n, n.cbr(image(n), 3, 12)), target);
  n.output(n.linear(n.relu(n.linear(x, 192, 16)), 16, 5));
  return n.done();
}

/// Pictures with channels last: the flat position is (pixel, channel).
Model channels_last_head() {
  Net n;
  V x = n.transpose(max_pool(n, n.cbr(image(n), 3, 12)), {0, 2, 3, 1});
  x = n.op("Flatten", {x});
  n.output(n.linear(n.relu(n.linear(x, 192, 16)), 16, 5));
  return n.done();
}

/// Flattened, through a layer, and back to a picture.
Model bottleneck_autoencoder() {
  Net n;
  V x = n.op("Flatten", {max_pool(n, n.cbr(image(n), 3, 8))});
  x = n.relu(n.linear(n.relu(n.linear(x, 128, 10)), 10, 128));
  x = n.reshape(x, {-1, 8, 4, 4});
  n.output(n.conv1x1(n.relu(n.conv_transpose(x, 8, 6)), 6, 3));
  return n.done();
}

/// PyTorch's x.view(x.size(0), -1): Shape, Gather, Unsqueeze, Concat.
Model dynamic_view() {
  Net n;
  V x = max_pool(n, n.cbr(n.batch_input("x", {1, 3, 8, 8}), 3, 12));
  const V batch = n.unsqueeze(n.gather(n.op("Shape", {x}), n.integer(0), 0), {0});
  x = n.reshape(x, {0, 0, 0, 0});
  x = n.op("Reshape", {x, n.concat({batch, n.ints({-1})}, 0)});
  n.output(n.linear(n.relu(n.linear(x, 192, 16)), 16, 5));
  return n.done();
}

/// The same before opset 13, where axes are attributes, and with the count written out.
Model dynamic_view_old() {
  Net n(11);
  V x = max_pool(n, n.cbr(n.batch_input("x", {1, 3, 8, 8}), 3, 12));
  const V batch = n.unsqueeze(n.gather(n.op("Shape", {x}), n.integer(0), 0), {0});
  x = n.op("Reshape", {x, n.concat({batch, n.ints({192})}, 0)});
  n.output(n.linear(n.relu(n.linear(x, 192, 16)), 16, 5));
  return n.done();
}

/// A channel shuffle whose counts are computed: shape[1] / 2.
Model dynamic_shuffle() {
  Net n;
  V x = n.cbr(n.batch_input("x", {1, 3, 8, 8}), 3, 16);
  const V shape = n.op("Shape", {x});
  const auto dim = [&](std::int64_t i) { return n.unsqueeze(n.gather(shape, n.integer(i), 0), {0}); };
  const V half = n.op("Div", {dim(1), n.ints({2})});
  const V parts = n.concat({dim(0), n.ints({2}), half, dim(2), dim(3)}, 0);
  x = n.transpose(n.op("Reshape", {x, parts}), {0, 2, 1, 3, 4});
  x = n.op("Reshape", {x, n.concat({dim(0), n.ints({-1}), dim(2), dim(3)}, 0)});
  x = n.cbr(x, 16, 8);
  n.output(n.linear(n.gap(x), 8, 5));
  return n.done();
}

/// Attention whose Reshape targets are made of Shape's numbers and written ones.
Model dynamic_attention() {
  Net n;
  const V x = n.batch_input("x", {1, 6, 16});
  const V shape = n.op("Shape", {x});
  const V batch = n.unsqueeze(n.gather(shape, n.integer(0), 0), {0});
  const V length = n.unsqueeze(n.gather(shape, n.integer(1), 0), {0});
  const V four_d = n.concat({batch, length, n.ints({4}), n.ints({4})}, 0);
  const auto project = [&] {
    return n.transpose(n.op("Reshape", {n.dense(x, 16, 16), four_d}), {0, 2, 1, 3});
  };
  const V q = project(), k = project(), v = project();
  const V scores = n.softmax(n.matmul(q, n.transpose(k, {0, 1, 3, 2})));
  V y = n.transpose(n.matmul(scores, v), {0, 2, 1, 3});
  y = n.op("Reshape", {y, n.concat({batch, length, n.ints({16})}, 0)});
  n.output(n.add(x, n.dense(y, 16, 16)));
  return n.done();
}

/// Sizes of the skip are read off with Shape for Resize.
Model dynamic_resize() {
  Net n;
  const V a = n.cbr(n.batch_input("x", {1, 3, 8, 8}), 3, 8);
  const V b = n.cbr(max_pool(n, a), 8, 12);
  const V size = n.concat({n.slice(n.op("Shape", {b}), 0, 2, 0), n.slice(n.op("Shape", {a}), 2, 4, 0)}, 0);
  const V up = n.op("Resize", {b, nullptr, nullptr, size}, {attr("mode", "linear")});
  n.output(n.conv1x1(n.cbr(n.concat({up, a}), 20, 6), 6, 2));
  return n.done();
}

/// A gate that is expanded to the picture's written shape before it multiplies.
Model expanded_gate() {
  Net n;
  const V x = n.cbr(image(n), 3, 8);
  V gate = n.sigmoid(n.linear(n.relu(n.linear(n.gap(x), 8, 4)), 4, 8));
  gate = n.op("Expand", {n.reshape(gate, {1, 8, 1, 1}), n.ints({1, 8, 8, 8})});
  n.output(n.linear(n.gap(n.cbr(n.mul(x, gate), 8, 6)), 6, 5));
  return n.done();
}

/// A vector repeated over the picture by Tile, laid beside the features.
Model tiled_context() {
  Net n;
  const V x = n.cbr(image(n), 3, 8);
  const V code = n.relu(n.linear(n.gap(x), 8, 4));
  const V wide = n.op("Tile", {n.unsqueeze(code, {2, 3}), n.ints({1, 1, 8, 8})});
  n.output(n.linear(n.gap(n.cbr(n.concat({x, wide}), 12, 6)), 6, 5));
  return n.done();
}

/// One constant is the target of two Reshapes of which only one is cut.
Model shared_target() {
  Net n;
  const V target = n.ints({1, 8, 64});
  const V x = image(n);
  const V a = n.op("Reshape", {n.cbr(x, 3, 8), target});
  const V b = n.op("Reshape", {n.conv1x1(x, 3, 8), target});
  n.output(b);
  n.output(
      n.op("Reshape", {n.cbr(n.op("Reshape", {n.mul(a, n.weight({1, 1, 64})), n.ints({1, 8, 8, 8})}), 8, 4),
                       n.ints({1, -1})}));
  return n.done();
}

/// Channels added at both ends, then some of them cut away again by a negative Pad.
Model padded_channels() {
  Net n;
  V x = n.cbr(image(n), 3, 8);
  x = n.op("Pad", {x, n.ints({0, 2, 1, 1, 0, 2, 1, 1})});
  x = n.op("Pad", {x, n.ints({0, -2, 0, 0, 0, -2, 0, 0})});
  x = n.cbr(x, 8, 6);
  x = n.op("Pad", {x, n.ints({0, 0, 1, 1, 0, 0, 1, 1})}, {attr("mode", "reflect")});
  n.output(n.linear(n.gap(x), 6, 5));
  return n.done();
}

/// Old opset: Pad, Slice, Clip, Upsample-like Resize and Dropout with attributes.
Model old_attributes() {
  Net n(9);
  V x = n.cbr(image(n), 3, 8);
  x = n.op("Slice", {x}, {attr("axes", Ints{1}), attr("starts", Ints{2}), attr("ends", Ints{8})});
  x = n.op("Pad", {x}, {attr("pads", Ints{0, 0, 1, 1, 0, 0, 1, 1}), attr("mode", "constant")});
  x = n.op("Clip", {n.conv(x, 6, 8)}, {attr("min", 0.0F), attr("max", 6.0F)});
  const auto parts = n.split(n.op("Dropout", {x}), {4, 4});
  x = n.op("Upsample", {n.mul(parts[0], parts[1]), n.twice()}, {attr("mode", "nearest")});
  n.output(n.linear(n.gap(n.cbr(x, 4, 6)), 6, 5));
  return n.done();
}

/// Unsqueezed, squeezed and transposed there and back around a layer.
Model moved_axes() {
  Net n;
  V x = n.transpose(n.cbr(image(n), 3, 8), {2, 3, 0, 1});
  x = n.squeeze(n.unsqueeze(x, {0, 5}), {0, -1});
  x = n.relu(n.dense(x, 8, 12));
  x = n.transpose(n.squeeze(x, {2}), {2, 0, 1});
  n.output(n.linear(n.gap(n.cbr(n.unsqueeze(x, {0}), 12, 6)), 6, 5));
  return n.done();
}

}  // namespace

std::vector<Topology> shape_topologies() {
  std::vector<Topology> list;
  const std::map<std::string, std::int64_t> three = {{"batch", 3}};
  list.push_back({"flattened head", flattened_head(), 6 + 8});
  list.push_back({"head by reshape", reshaped_head({1, -1}), 6 + 8});
  list.push_back({"head by reshape, counted", reshaped_head({1, 192}), 6 + 8});
  list.push_back({"head by reshape, copied", reshaped_head({0, 192}), 6 + 8});
  list.push_back({"channels-last head", channels_last_head(), 6 + 8});
  list.push_back({"bottleneck autoencoder", bottleneck_autoencoder(), 4 + 5 + 4 + 3, 4});
  list.push_back({"dynamic view", dynamic_view(), 6 + 8, 0, 0, three});
  list.push_back({"dynamic view, old", dynamic_view_old(), 6 + 8, 0, 0, three});
  // Fewer of the two halves would not be shape[1] / 2 any more, so no outer factor goes.
  list.push_back({"dynamic shuffle", dynamic_shuffle(), 4 + 4, 0, 0, three});
  list.push_back({"dynamic attention", dynamic_attention(), 2 + 2, 2, 0, three});
  list.push_back({"dynamic resize", dynamic_resize(), 4 + 6 + 3, 0, 0, three});
  list.push_back({"expanded gate", expanded_gate(), 4 + 2 + 3});
  list.push_back({"tiled context", tiled_context(), 4 + 2 + 3});
  list.push_back({"shared target", shared_target(), 4});
  list.push_back({"padded channels", padded_channels(), 4 + 3});
  list.push_back({"old attributes", old_attributes(), 1 + 3 + 2 + 3});
  list.push_back({"moved axes", moved_axes(), 4 + 6 + 3});
  return list;
}

}  // namespace compressor::topologies

// topologies: whole transformers: embeddings, class tokens, windows that shift, masks, tied output
// projections.
#include "passes/prune/topologies.h"

namespace compressor::topologies {
namespace {

using build::attr;
using build::Ints;
using build::Net;
using build::V;

V attention(Net& n, V x, std::int64_t width, std::int64_t heads, V bias = nullptr) {
  const std::int64_t dim = width / heads;
  const auto project = [&](const Ints& perm) {
    return n.transpose(n.reshape(n.dense(x, width, width), {0, 0, heads, dim}), perm);
  };
  const V q = project({0, 2, 1, 3}), k = project({0, 2, 3, 1}), v = project({0, 2, 1, 3});
  V scores = n.op("Div", {n.matmul(q, k), n.number(2)});
  if (bias) scores = n.add(scores, bias);
  const V y = n.transpose(n.matmul(n.softmax(scores), v), {0, 2, 1, 3});
  return n.dense(n.reshape(y, {0, 0, width}), width, width);
}

V perceptron(Net& n, V x, std::int64_t width, std::int64_t hidden) {
  return n.dense(n.relu(n.dense(x, width, hidden)), hidden, width);
}

/// Patches, a class token in front, positions, two pre-norm blocks; the class token is classified.
Model vision_transformer() {
  Net n;
  V x = n.conv(n.input("x", {1, 3, 8, 8}), 3, 16, {.kernel = 4, .stride = 4, .bias = true, .pad = 0});
  x = n.transpose(n.reshape(x, {1, 16, 4}), {0, 2, 1});
  x = n.add(n.concat({n.weight({1, 1, 16}), x}), n.weight({1, 5, 16}));
  for (int i = 0; i < 2; ++i) {
    x = n.add(x, attention(n, n.layer_norm(x, 16), 16, 4));
    x = n.add(x, perceptron(n, n.layer_norm(x, 16), 16, 24));
  }
  n.output(n.linear(n.gather(n.layer_norm(x, 16), n.integer(0), 1), 16, 5));
  return n.done();
}

/// No norm anywhere, so the width of the stream may go too.
Model without_norm() {
  Net n;
  V x = n.conv(n.input("x", {1, 3, 8, 8}), 3, 16, {.kernel = 4, .stride = 4, .bias = true, .pad = 0});
  x = n.transpose(n.reshape(x, {1, 16, 4}), {0, 2, 1});
  x = n.add(n.concat({n.weight({1, 1, 16}), x}), n.weight({1, 5, 16}));
  x = n.add(x, attention(n, x, 16, 4));
  x = n.add(x, n.mul(perceptron(n, x, 16, 24), n.weight({16})));
  n.output(n.linear(n.gather(x, n.integer(0), 1), 16, 5));
  return n.done();
}

/// Word, position and type embeddings, a mask from the input, a pooler.
Model bidirectional_encoder() {
  Net n;
  const V ids = n.input("ids", {1, 6}, DType::kInt64), mask = n.input("mask", {1, 6}, DType::kInt64);
  V x = n.add(n.gather(n.weight({20, 16}), ids, 0), n.weight({1, 6, 16}));
  x = n.layer_norm(n.add(x, n.gather(n.weight({2, 16}), n.ints({0, 0, 0, 1, 1, 1}), 0)), 16);
  const V open =
      n.op("Cast", {n.unsqueeze(n.op("Min", {mask, n.integer(1)}), {1, 2})}, {attr("to", std::int64_t{1})});
  const V bias = n.mul(n.op("Sub", {n.number(1), open}), n.number(-100));
  x = n.layer_norm(n.add(x, attention(n, x, 16, 4, bias)), 16);
  x = n.layer_norm(n.add(x, perceptron(n, x, 16, 24)), 16);
  const V first = n.gather(x, n.integer(0), 1);
  n.output(n.linear(n.op("Tanh", {n.linear(first, 16, 12)}), 12, 2));
  return n.done();
}

/// A causal mask by Where; the output projection is the embedding, transposed.
Model decoder() {
  Net n;
  const V ids = n.input("ids", {1, 6}, DType::kInt64);
  const V words = n.weight({20, 16});
  V x = n.add(n.gather(words, ids, 0), n.weight({6, 16}));
  std::vector<float> ahead(36, 0);
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t j = i + 1; j < 6; ++j) ahead[i * 6 + j] = -1e4F;
  }
  const V bias = n.constant(Tensor::of({1, 1, 6, 6}, std::span<const float>(ahead)));
  x = n.add(x, attention(n, n.layer_norm(x, 16), 16, 4, bias));
  x = n.add(x, perceptron(n, n.layer_norm(x, 16), 16, 24));
  n.output(n.matmul(n.layer_norm(x, 16), n.transpose(words, {1, 0})));
  return n.done();
}

/// Embedding and output projection are one weight, with nothing but linear layers between.
Model tied_embedding() {
  Net n;
  const V ids = n.input("ids", {1, 6}, DType::kInt64);
  const V words = n.weight({20, 16});
  const V x = n.gather(words, ids, 0);
  const V y = n.add(x, n.dense(n.op("Tanh", {n.dense(x, 16, 12)}), 12, 16));
  n.output(n.matmul(y, n.transpose(words, {1, 0})));
  return n.done();
}

/// [1, 8, 8, 16] -> 4 windows of 16 tokens, and back.
V windows(Net& n, V x) {
  return n.reshape(n.transpose(n.reshape(x, {1, 2, 4, 2, 4, 16}), {0, 1, 3, 2, 4, 5}), {4, 16, 16});
}
V picture(Net& n, V x) {
  return n.reshape(n.transpose(n.reshape(x, {1, 2, 2, 4, 4, 16}), {0, 1, 3, 2, 4, 5}), {1, 8, 8, 16});
}
V rolled(Net& n, V x, std::int64_t by) {
  for (const std::int64_t axis : {1, 2}) {
    x = n.concat({n.slice(x, by, INT64_MAX, axis), n.slice(x, 0, by, axis)}, axis);
  }
  return x;
}

/// A table of biases by relative position, one column a head, read through Gather, Reshape and Transpose.
V relative_bias(Net& n, std::int64_t heads) {
  Ints index;
  for (std::int64_t i = 0; i < 16; ++i) {
    for (std::int64_t j = 0; j < 16; ++j) index.push_back((i / 4 - j / 4 + 3) * 7 + i % 4 - j % 4 + 3);
  }
  const V picked = n.reshape(n.gather(n.weight({49, heads}), n.ints(index), 0), {16, 16, heads});
  return n.unsqueeze(n.transpose(picked, {2, 0, 1}), {0});
}

V window_attention(Net& n, V x, V mask) {
  const V qkv = n.transpose(n.reshape(n.dense(x, 16, 48), {4, 16, 3, 4, 4}), {2, 0, 3, 1, 4});
  const auto pick = [&](std::int64_t i) { return n.gather(qkv, n.integer(i), 0); };
  const V q = n.mul(pick(0), n.number(0.5F));
  V scores = n.add(n.matmul(q, n.transpose(pick(1), {0, 1, 3, 2})), relative_bias(n, 4));
  if (mask) {
    scores = n.add(n.reshape(scores, {1, 4, 4, 16, 16}), n.unsqueeze(n.unsqueeze(mask, {1}), {0}));
    scores = n.reshape(scores, {-1, 4, 16, 16});
  }
  const V y = n.transpose(n.matmul(n.softmax(scores), pick(2)), {0, 2, 1, 3});
  return n.dense(n.reshape(y, {4, 16, 16}), 16, 16);
}

/// Swin: attention in windows, in the second block of windows shifted by two; then patches merged.
Model shifted_windows() {
  Net n;
  V x = n.transpose(n.conv(n.input("x", {1, 3, 8, 8}), 3, 16), {0, 2, 3, 1});
  x = n.add(x, picture(n, window_attention(n, windows(n, n.layer_norm(x, 16)), nullptr)));
  x = n.add(x, perceptron(n, n.layer_norm(x, 16), 16, 24));
  const V mask = n.weight({4, 16, 16});
  const V shifted = windows(n, rolled(n, n.layer_norm(x, 16), 2));
  x = n.add(x, rolled(n, picture(n, window_attention(n, shifted, mask)), -2));
  x = n.add(x, perceptron(n, n.layer_norm(x, 16), 16, 24));
  std::vector<V> parts;
  for (const std::int64_t dx : {0, 1}) {
    for (const std::int64_t dy : {0, 1}) parts.push_back(n.slice(n.slice(x, dy, 8, 1, 2), dx, 8, 2, 2));
  }
  x = n.matmul(n.layer_norm(n.concat(parts, -1), 64), n.weight({64, 32}));
  x = n.op("ReduceMean", {x}, {attr("axes", Ints{1, 2}), attr("keepdims", std::int64_t{0})});
  n.output(n.linear(x, 32, 5));
  return n.done();
}

/// Detection by queries: learnt queries attend to the encoded picture, two heads read each answer.
Model query_decoder() {
  Net n;
  V memory = n.cbr(n.input("x", {1, 3, 4, 4}), 3, 16);
  memory = n.transpose(n.op("Flatten", {n.transpose(memory, {0, 1, 2, 3})}, {attr("axis", std::int64_t{2})}),
                       {1, 0});
  memory = n.reshape(memory, {1, 16, 16});
  const V queries = n.weight({1, 5, 16});
  const auto heads_of = [&](V x) {
    return n.transpose(n.reshape(n.dense(x, 16, 16), {1, -1, 4, 4}), {0, 2, 1, 3});
  };
  const V q = heads_of(queries), k = heads_of(memory), v = heads_of(memory);
  V y = n.matmul(n.softmax(n.matmul(q, n.transpose(k, {0, 1, 3, 2}))), v);
  y = n.dense(n.reshape(n.transpose(y, {0, 2, 1, 3}), {1, 5, 16}), 16, 16);
  y = n.layer_norm(n.add(y, queries), 16);
  n.output(n.dense(y, 16, 3));
  n.output(n.sigmoid(n.dense(n.relu(n.dense(y, 16, 12)), 12, 4)));
  return n.done();
}

}  // namespace

std::vector<Topology> transformer_topologies() {
  std::vector<Topology> list;
  list.push_back({"vision transformer", vision_transformer(), 2 * (2 + 2 + 12), 2 * 2});
  list.push_back({"without norm", without_norm(), 8 + 2 + 2 + 12, 2});
  list.push_back({"bidirectional encoder", bidirectional_encoder(), 2 + 2 + 12 + 6, 2});
  list.push_back({"decoder", decoder(), 2 + 2 + 12, 2});
  list.push_back({"tied embedding", tied_embedding(), 8 + 6});
  list.push_back({"shifted windows", shifted_windows(), 2 * (2 + 12) + 16, 2 * 2});
  list.push_back({"query decoder", query_decoder(), 8 + 2 + 2 + 6, 2});
  return list;
}

}  // namespace compressor::topologies

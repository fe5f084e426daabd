// topologies: attention with separate and fused projections, shared keys, rotary positions and windows.
#include <cmath>

#include "passes/prune/topologies.h"

namespace compressor::topologies {
namespace {

using build::attr;
using build::Ints;
using build::Net;
using build::V;

constexpr std::int64_t kTokens = 6, kHeads = 4, kDim = 4, kWidth = kHeads * kDim;

V tokens(Net& n) {
  return n.input("x", {1, kTokens, kWidth});
}

/// q [.., S, d], k [.., T, d], v [.., T, e] -> [.., S, e]
V attend(Net& n, V q, V k, V v, const Ints& swap, V bias = nullptr) {
  V scores = n.op("Div", {n.matmul(q, n.transpose(k, swap)), n.number(2)});
  if (bias) scores = n.add(scores, bias);
  return n.matmul(n.softmax(scores), v);
}

V attend4(Net& n, V q, V k, V v, V bias = nullptr) {
  return attend(n, q, k, v, {0, 1, 3, 2}, bias);
}

V heads_of(Net& n, V x, std::int64_t heads, std::int64_t dim) {
  return n.transpose(n.reshape(x, {1, -1, heads, dim}), {0, 2, 1, 3});
}

V merge(Net& n, V x, std::int64_t width) {
  return n.reshape(n.transpose(x, {0, 2, 1, 3}), {1, -1, width});
}

/// Heads of queries and keys, of values, and of the way out go together; dimensions of q and k, of v apart.
Model separate() {
  Net n;
  const V x = tokens(n);
  const V q = heads_of(n, n.dense(x, 16, 16), 4, 4), k = heads_of(n, n.dense(x, 16, 16), 4, 4);
  const V v = heads_of(n, n.dense(x, 16, 16), 4, 4);
  n.output(n.add(x, n.dense(merge(n, attend4(n, q, k, v), 16), 16, 16)));
  return n.done();
}

/// The keys transposed in one go, the way out with zeros in the target.
Model separate_fused_transpose() {
  Net n;
  const V x = tokens(n);
  const V q = n.transpose(n.reshape(n.dense(x, 16, 16), {0, 0, 4, 4}), {0, 2, 1, 3});
  const V k = n.transpose(n.reshape(n.dense(x, 16, 16), {0, 0, 4, 4}), {0, 2, 3, 1});
  const V v = n.transpose(n.reshape(n.dense(x, 16, 16), {0, 0, 4, 4}), {0, 2, 1, 3});
  const V y = n.matmul(n.softmax(n.mul(n.matmul(q, k), n.number(0.5F))), v);
  n.output(n.dense(n.reshape(n.transpose(y, {0, 2, 1, 3}), {0, 0, -1}), 16, 16));
  return n.done();
}

/// timm: [B, S, 3, H, d], permuted, then one Gather each.
Model fused() {
  Net n;
  const V x = tokens(n);
  const V qkv = n.transpose(n.reshape(n.dense(x, 16, 48), {1, kTokens, 3, 4, 4}), {2, 0, 3, 1, 4});
  const auto pick = [&](std::int64_t i) { return n.gather(qkv, n.integer(i), 0); };
  n.output(n.add(x, n.dense(merge(n, attend4(n, pick(0), pick(1), pick(2)), 16), 16, 16)));
  return n.done();
}

/// The same with Split and Squeeze.
Model fused_split() {
  Net n;
  const V x = tokens(n);
  const V qkv = n.transpose(n.reshape(n.dense(x, 16, 48), {1, kTokens, 3, 4, 4}), {2, 0, 3, 1, 4});
  const auto parts = n.split(qkv, {1, 1, 1}, 0);
  const auto pick = [&](std::size_t i) { return n.squeeze(parts[i], {0}); };
  n.output(n.add(x, n.dense(merge(n, attend4(n, pick(0), pick(1), pick(2)), 16), 16, 16)));
  return n.done();
}

/// torchvision: one projection, [S, B, 3, E], unsqueezed, transposed, squeezed; heads beside the batch.
Model packed() {
  Net n;
  const V x = n.transpose(tokens(n), {1, 0, 2});
  V qkv = n.reshape(n.dense(x, 16, 48), {kTokens, 1, 3, 16});
  qkv = n.squeeze(n.transpose(n.unsqueeze(qkv, {0}), {3, 1, 2, 0, 4}), {3});
  const auto pick = [&](std::int64_t i) {
    return n.transpose(n.reshape(n.gather(qkv, n.integer(i), 0), {kTokens, 4, 4}), {1, 0, 2});
  };
  const V y = attend(n, pick(0), pick(1), pick(2), {0, 2, 1});
  n.output(n.linear(n.reshape(n.transpose(y, {1, 0, 2}), {kTokens, 16}), 16, 16));
  return n.done();
}

/// Queries, keys and values end to end in one matrix, then heads.
Model fused_flat() {
  Net n;
  const V x = tokens(n);
  const auto parts = n.split(n.dense(x, 16, 48), {16, 16, 16}, 2);
  const auto pick = [&](std::size_t i) { return heads_of(n, parts[i], 4, 4); };
  n.output(n.add(x, n.dense(merge(n, attend4(n, pick(0), pick(1), pick(2)), 16), 16, 16)));
  return n.done();
}

/// Queries from one sequence, keys and values from another of another width.
Model cross() {
  Net n;
  const V x = tokens(n);
  const V context = n.input("context", {1, 5, 10});
  const V q = heads_of(n, n.dense(x, 16, 16), 4, 4), k = heads_of(n, n.dense(context, 10, 16), 4, 4);
  const V v = heads_of(n, n.dense(context, 10, 32), 4, 8);
  n.output(n.add(x, n.dense(merge(n, attend4(n, q, k, v), 32), 32, 16)));
  return n.done();
}

V repeated(Net& n, V kv, std::int64_t heads, std::int64_t times, std::int64_t dim) {
  const V wide = n.op("Expand", {n.unsqueeze(kv, {2}), n.ints({1, heads, times, kTokens, dim})});
  return n.reshape(wide, {1, heads * times, kTokens, dim});
}

/// Eight query heads read four heads of keys and values.
Model grouped_query() {
  Net n;
  const V x = tokens(n);
  const V q = heads_of(n, n.dense(x, 16, 32), 8, 4);
  const V k = repeated(n, heads_of(n, n.dense(x, 16, 16), 4, 4), 4, 2, 4);
  const V v = repeated(n, heads_of(n, n.dense(x, 16, 16), 4, 4), 4, 2, 4);
  n.output(n.add(x, n.dense(merge(n, attend4(n, q, k, v), 32), 32, 16)));
  return n.done();
}

/// One head of keys and values for all queries.
Model multi_query() {
  Net n;
  const V x = tokens(n);
  const V q = heads_of(n, n.dense(x, 16, 32), 8, 4);
  const V k = n.unsqueeze(n.dense(x, 16, 4), {1}), v = n.unsqueeze(n.dense(x, 16, 4), {1});
  n.output(n.add(x, n.dense(merge(n, attend4(n, q, k, v), 32), 32, 16)));
  return n.done();
}

/// Rotary positions tie dimension i to i + d/2.
Model rotary() {
  Net n;
  const V x = tokens(n);
  const V cos = n.weight({1, 1, kTokens, 8}), sin = n.weight({1, 1, kTokens, 8});
  const auto rotated = [&](V v) {
    const V half = n.concat({n.op("Neg", {n.slice(v, 4, INT64_MAX, 3)}), n.slice(v, 0, 4, 3)}, -1);
    return n.add(n.mul(v, cos), n.mul(half, sin));
  };
  const V q = rotated(heads_of(n, n.dense(x, 16, 32), 4, 8)),
          k = rotated(heads_of(n, n.dense(x, 16, 32), 4, 8));
  const V v = heads_of(n, n.dense(x, 16, 16), 4, 4);
  n.output(n.add(x, n.dense(merge(n, attend4(n, q, k, v), 16), 16, 16)));
  return n.done();
}

/// Labels instead of transposes; heads have an axis of their own, and so are channels.
Model by_einsum() {
  Net n;
  const V x = tokens(n);
  const auto project = [&](V w) { return n.op("Einsum", {x, w}, {attr("equation", "bsc,chd->bhsd")}); };
  const V q = project(n.weight({16, 4, 4})), k = project(n.weight({16, 4, 4})),
          v = project(n.weight({16, 4, 4}));
  const V scores = n.op("Einsum", {q, k}, {attr("equation", "bhid,bhjd->bhij")});
  const V y = n.op("Einsum", {n.softmax(scores), v}, {attr("equation", "bhij,bhjd->bihd")});
  n.output(n.op("Einsum", {y, n.weight({4, 4, 16})}, {attr("equation", "bihd,hdc->bic")}));
  return n.done();
}

/// Attention over a picture: 1x1 convolutions, tokens are pixels, added back.
Model over_pixels() {
  Net n;
  const V x = n.cbr(n.input("x", {1, 3, 4, 4}), 3, 16);
  const auto project = [&] { return n.reshape(n.conv1x1(x, 16, 16), {1, 4, 4, 16}); };
  const V q = project(), k = project(), v = project();  // [B, H, d, S]
  const V weights = n.softmax(n.matmul(n.transpose(q, {0, 1, 3, 2}), k));
  const V y = n.reshape(n.matmul(v, n.transpose(weights, {0, 1, 3, 2})), {1, 16, 4, 4});
  n.output(n.linear(n.gap(n.add(x, n.conv1x1(y, 16, 16))), 16, 5));
  return n.done();
}

/// softmax-free: (k' v) first, with a positive map of the features.
Model linear_attention() {
  Net n;
  const V x = tokens(n);
  const V q = n.relu(heads_of(n, n.dense(x, 16, 16), 4, 4)),
          k = n.relu(heads_of(n, n.dense(x, 16, 16), 4, 4));
  const V v = heads_of(n, n.dense(x, 16, 16), 4, 4);
  const V y = n.matmul(q, n.matmul(n.transpose(k, {0, 1, 3, 2}), v));
  n.output(n.dense(merge(n, y, 16), 16, 16));
  return n.done();
}

/// Dimensions attend to dimensions: those under the softmax stay, those of the queries and the heads may go.
Model over_channels() {
  Net n;
  const V x = tokens(n);
  const auto project = [&] { return n.transpose(heads_of(n, n.dense(x, 16, 16), 4, 4), {0, 1, 3, 2}); };
  const V q = project(), k = project(), v = project();  // [B, H, d, S]
  const V y = attend4(n, q, k, v);
  n.output(n.dense(n.reshape(n.transpose(y, {0, 3, 1, 2}), {1, kTokens, 16}), 16, 16));
  return n.done();
}

}  // namespace

std::vector<Topology> attention_topologies() {
  std::vector<Topology> list;
  list.push_back({"separate projections", separate(), 2 + 2, 2});
  list.push_back({"keys transposed at once", separate_fused_transpose(), 2 + 2, 2});
  list.push_back({"fused projection", fused(), 2, 2});
  list.push_back({"fused projection, split", fused_split(), 2, 2});
  list.push_back({"packed projection", packed(), 2, 2});
  list.push_back({"fused flat projection", fused_flat(), 2 + 2, 2});
  list.push_back({"cross attention", cross(), 2 + 4, 2});
  list.push_back(
      {"grouped queries", grouped_query(), 2 + 2, 2});  // kv heads, with the queries that share them
  list.push_back({"multi query", multi_query(), 2 + 2, 4});
  list.push_back({"rotary", rotary(), 2 + 2, 2});
  list.push_back({"by einsum", by_einsum(), 2 + 2 + 2});
  list.push_back({"over pixels", over_pixels(), 8 + 2 + 2, 2});
  list.push_back({"linear attention", linear_attention(), 2 + 2, 2});
  list.push_back({"over channels", over_channels(), 2, 2});
  return list;
}

}  // namespace compressor::topologies

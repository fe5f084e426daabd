// topologies: LSTM, GRU and RNN stacks, in one and two directions, with all their optional inputs.
#include "passes/prune/topologies.h"

namespace compressor::topologies {
namespace {

using build::attr;
using build::Ints;
using build::Net;
using build::V;

constexpr std::int64_t kTime = 5;

struct Layer {
  const char* op = "LSTM";
  std::int64_t in = 6, hidden = 8;
  bool both = false;
  bool bias = true;
};

std::int64_t gates(const Layer& l) {
  return l.op[0] == 'L' ? 4 : l.op[0] == 'G' ? 3 : 1;
}

/// Y, Y_h and, of an LSTM, Y_c. `more` are the inputs from sequence_lens on.
std::vector<V> recur(Net& n, V x, const Layer& l, const std::vector<V>& more = {},
                     build::Settings extra = {}) {
  const std::int64_t d = l.both ? 2 : 1, g = gates(l);
  std::vector<V> inputs{x, n.weight({d, g * l.hidden, l.in}), n.weight({d, g * l.hidden, l.hidden}),
                        l.bias ? n.weight({d, 2 * g * l.hidden}) : nullptr};
  inputs.insert(inputs.end(), more.begin(), more.end());
  while (!inputs.back()) inputs.pop_back();
  extra.push_back(attr("hidden_size", l.hidden));
  if (l.both) extra.push_back(attr("direction", "bidirectional"));
  return n.ops(l.op, inputs, gates(l) == 4 ? 3 : 2, extra);
}

V sequence(Net& n) {
  return n.input("x", {kTime, 1, 6});
}

V lengths(Net& n) {
  const std::int64_t four = 4;
  const double as_double = static_cast<double>(four);
  return n.constant(Tensor::of(DType::kInt32, {1}, std::span(&as_double, 1)));
}

/// Both directions side by side: [T, 2, N, H] -> [T, N, 2 H]
V side_by_side(Net& n, V y) {
  return n.reshape(n.transpose(y, {0, 2, 1, 3}), {0, 0, -1});
}

/// Two layers of one direction, the last state is classified.
Model stack(const char* op) {
  Net n;
  const V y = n.squeeze(recur(n, sequence(n), {.op = op})[0], {1});
  const V last = recur(n, y, {.op = op, .in = 8, .hidden = 12})[1];
  n.output(n.linear(n.squeeze(last, {0}), 12, 5));
  return n.done();
}

/// Two layers of two directions; every step is classified.
Model stack_both(const char* op) {
  Net n;
  const V y = side_by_side(n, recur(n, sequence(n), {.op = op, .both = true})[0]);
  const V z = side_by_side(n, recur(n, y, {.op = op, .in = 16, .hidden = 4, .both = true})[0]);
  n.output(n.dense(z, 8, 5));
  return n.done();
}

/// Peepholes, constant initial states and lengths; Y, Y_h and Y_c are all read.
Model every_input() {
  Net n;
  const auto y =
      recur(n, sequence(n), {}, {lengths(n), n.weight({1, 1, 8}), n.weight({1, 1, 8}), n.weight({1, 24})});
  const V states = n.squeeze(n.concat({y[1], y[2]}, 2), {0});
  n.output(n.dense(n.squeeze(y[0], {1}), 8, 4));
  n.output(n.linear(states, 16, 5));
  return n.done();
}

/// The encoder's last states, through layers of their own, start the decoder.
Model encoder_decoder() {
  Net n;
  const auto y = recur(n, sequence(n), {});
  const auto state = [&](V s) {
    return n.unsqueeze(n.op("Tanh", {n.linear(n.squeeze(s, {0}), 8, 12)}), {0});
  };
  const V target = n.input("target", {4, 1, 6});
  const V z = recur(n, target, {.hidden = 12}, {nullptr, state(y[1]), state(y[2])})[0];
  n.output(n.dense(n.squeeze(z, {1}), 12, 5));
  return n.done();
}

/// The encoder's states are the decoder's.
Model states_handed_over() {
  Net n;
  const auto y = recur(n, sequence(n), {});
  const V target = n.input("target", {4, 1, 6});
  const V z = recur(n, target, {}, {nullptr, y[1], y[2]})[0];
  n.output(n.dense(n.squeeze(z, {1}), 8, 5));
  return n.done();
}

/// Convolutions, then columns of the picture as steps: [1, C, H, W] -> [W, 1, C H].
Model read_text() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 4, 8}), 3, 8);
  x = n.cbr(x, 8, 12, {.stride = 2});
  x = n.reshape(n.transpose(x, {3, 0, 1, 2}), {4, 1, 24});
  x = side_by_side(n, recur(n, x, {.in = 24, .both = true})[0]);
  n.output(n.dense(x, 16, 7));
  return n.done();
}

Model reset_after() {
  Net n;
  const V y = recur(n, sequence(n), {.op = "GRU", .bias = true}, {nullptr, n.weight({1, 1, 8})},
                    {attr("linear_before_reset", std::int64_t{1})})[0];
  n.output(n.dense(n.squeeze(y, {1}), 8, 5));
  return n.done();
}

/// A layer of the same width added to what it reads.
Model residual() {
  Net n;
  const V x = n.squeeze(recur(n, sequence(n), {})[0], {1});
  const V y = n.squeeze(recur(n, x, {.in = 8})[0], {1});
  n.output(n.dense(n.add(x, y), 8, 5));
  return n.done();
}

/// Each direction by itself: the forward half and the backward half of Y_h.
Model last_of_both() {
  Net n;
  const auto y = recur(n, sequence(n), {.op = "GRU", .both = true, .bias = false});
  const V forward = n.gather(y[1], n.integer(0), 0), backward = n.gather(y[1], n.integer(1), 0);
  n.output(n.linear(n.concat({forward, backward}), 16, 5));
  return n.done();
}

}  // namespace

std::vector<Topology> recurrent_topologies() {
  std::vector<Topology> list;
  list.push_back({"lstm stack", stack("LSTM"), 4 + 6});
  list.push_back({"gru stack", stack("GRU"), 4 + 6});
  list.push_back({"rnn stack", stack("RNN"), 4 + 6});
  // A hidden unit is removed from both directions, as they share the length of one axis.
  list.push_back({"lstm stack, both ways", stack_both("LSTM"), 4 + 2});
  list.push_back({"gru stack, both ways", stack_both("GRU"), 4 + 2});
  list.push_back({"lstm, every input", every_input(), 4});
  list.push_back({"encoder and decoder", encoder_decoder(), 4 + 6});
  list.push_back({"states handed over", states_handed_over(), 4});
  list.push_back({"read text", read_text(), 4 + 6 + 4});
  list.push_back({"gru, reset after", reset_after(), 4});
  list.push_back({"residual lstm", residual(), 4});
  list.push_back({"last of both ways", last_of_both(), 4});
  return list;
}

}  // namespace compressor::topologies

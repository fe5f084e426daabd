// topologies: bodies of If, Loop and Scan that read channels and weights of the graph around them.
#include "passes/prune/topologies.h"

namespace compressor::topologies {
namespace {

using build::attr;
using build::Builder;
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

V flag(Net& n) {
  return n.input("flag", {}, DType::kBool);
}

/// Both branches read x of the outer graph; one has a layer with weights of its own.
Model if_captures() {
  Net n;
  const V x = stem(n, 8);
  const V y = n.op("If", {flag(n)});
  n.body(y, "then_branch", [&](Builder& b) { b.graph().add_output(*b.cbr(x, 8, 8)); });
  n.body(y, "else_branch", [&](Builder& b) { b.graph().add_output(*b.relu(b.mul(x, b.weight({8, 1, 1})))); });
  return head(n, n.cbr(y, 8, 6), 6);
}

/// The weight lives outside, is read in one branch and outside as well.
Model if_captures_weight() {
  Net n;
  const V x = stem(n, 8);
  const V w = n.weight({8, 8, 3, 3});
  const V y = n.op("If", {flag(n)});
  n.body(y, "then_branch", [&](Builder& b) { b.graph().add_output(*b.relu(b.conv_with(x, w, nullptr))); });
  n.body(y, "else_branch", [&](Builder& b) { b.graph().add_output(*b.op("Identity", {x})); });
  return head(n, n.relu(n.conv_with(y, w, nullptr)), 8);
}

/// An If inside an If, and channels that end in the branches.
Model if_nested() {
  Net n;
  const V x = stem(n, 8);
  const V condition = flag(n);
  const V y = n.op("If", {condition});
  n.body(y, "then_branch", [&](Builder& b) {
    const V inner = b.op("If", {condition});
    b.body(inner, "then_branch", [&](Builder& c) { c.graph().add_output(*c.conv1x1(c.cbr(x, 8, 6), 6, 8)); });
    b.body(inner, "else_branch", [&](Builder& c) { c.graph().add_output(*c.op("Identity", {x})); });
    b.graph().add_output(*b.relu(inner));
  });
  n.body(y, "else_branch", [&](Builder& b) { b.graph().add_output(*b.cbr(x, 8, 8)); });
  return head(n, y, 8);
}

/// PyTorch's squeeze: both branches move the same channels.
Model if_squeezes() {
  Net n;
  const V x = n.op("GlobalAveragePool", {stem(n, 8)});
  const V y = n.op("If", {flag(n)});
  n.body(y, "then_branch", [&](Builder& b) { b.graph().add_output(*b.squeeze(x, {2, 3})); });
  n.body(y, "else_branch", [&](Builder& b) { b.graph().add_output(*b.reshape(x, {1, 8})); });
  n.output(n.linear(n.relu(n.linear(y, 8, 6)), 6, 5));
  return n.done();
}

/// A loop body captures a weight and carries the features.
Model loop_carries() {
  Net n;
  const V x = n.cbr(stem(n, 8), 8, 8);
  const V w = n.weight({8, 8, 3, 3});
  const V y = n.op("Loop", {n.integer(2), nullptr, x});
  n.body(y, "body", [&](Builder& b) {
    b.graph().add_input("i", Type::tensor(DType::kInt64, {}));
    const V go = b.graph().add_input("go", Type::tensor(DType::kBool, {}));
    const V state = b.graph().add_input("state", Type::tensor(DType::kFloat, {1, 8, 8, 8}));
    b.graph().add_output(*b.op("Identity", {go}));
    b.graph().add_output(*b.op("Tanh", {b.conv_with(state, w, nullptr)}));
  });
  return head(n, n.cbr(y, 8, 6), 6);
}

/// A recurrent cell written as a Scan.
Model scan_cell() {
  Net n;
  const V x = n.relu(n.dense(n.relu(n.dense(n.input("x", {5, 1, 6}), 6, 10)), 10, 8));
  const V start = n.weight({1, 8});
  const auto y = n.ops("Scan", {start, x}, 2, {attr("num_scan_inputs", std::int64_t{1})});
  n.body(y[0], "body", [&](Builder& b) {
    const V state = b.graph().add_input("state", Type::tensor(DType::kFloat, {1, 8}));
    const V step = b.graph().add_input("step", Type::tensor(DType::kFloat, {1, 8}));
    const V next = b.op("Tanh", {b.add(b.matmul(state, b.weight({8, 8})), step)});
    b.graph().add_output(*next);
    b.graph().add_output(*b.op("Identity", {next}));
  });
  n.output(n.linear(n.relu(n.linear(y[0], 8, 6)), 6, 5));
  return n.done();
}

}  // namespace

std::vector<Topology> control_topologies() {
  std::vector<Topology> list;
  list.push_back({"if captures", if_captures(), 4 + 3});
  list.push_back({"if captures a weight", if_captures_weight(), 4});
  list.push_back({"if nested", if_nested(), 4 + 3});
  list.push_back({"if squeezes", if_squeezes(), 4 + 3});
  list.push_back({"loop carries", loop_carries(), 4 + 4 + 3});
  list.push_back({"scan cell", scan_cell(), 5 + 4 + 3});
  return list;
}

}  // namespace compressor::topologies

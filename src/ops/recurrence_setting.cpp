// recurrence_setting: attributes of recurrent operators, and the shapes that must agree with them.
#include "ops/recurrence_setting.h"

#include <string>
#include <string_view>

namespace compressor::ops {
namespace {

std::vector<std::string> default_activations(Cell cell) {
  if (cell == Cell::kLstm) return {"Sigmoid", "Tanh", "Tanh"};
  if (cell == Cell::kGru) return {"Sigmoid", "Tanh"};
  return {"Tanh"};
}

std::vector<Gate> gates_of(const ComputeContext& ctx, const Recurrence& s) {
  std::vector<std::string> names;
  if (const Attribute* given = ctx.node().attribute("activations")) {
    if (const auto* list = given->get<Attribute::Strings>()) names = *list;
  }
  const std::vector<std::string> defaults = default_activations(s.cell);
  const std::size_t wanted = defaults.size() * static_cast<std::size_t>(s.directions);
  while (names.empty() || names.size() < wanted) {
    if (!names.empty() && names.size() != defaults.size()) break;
    const std::vector<std::string> more = names.empty() ? defaults : names;
    names.insert(names.end(), more.begin(), more.end());
  }
  if (names.size() != wanted) ctx.fail("found {} activations, expected {}", names.size(), wanted);
  const std::vector<float> alphas = ctx.node().floats_or("activation_alpha", {});
  const std::vector<float> betas = ctx.node().floats_or("activation_beta", {});
  std::size_t alpha = 0;
  std::size_t beta = 0;
  std::vector<Gate> gates;
  for (const std::string& name : names) {
    auto gate = Gate::named(name);
    if (!gate) ctx.fail("activation '{}' is not known", name);
    // The values are taken in order, by the functions that have one.
    if (gate->parameters() > 0 && alpha < alphas.size()) gate->alpha = alphas[alpha++];
    if (gate->parameters() > 1 && beta < betas.size()) gate->beta = betas[beta++];
    gates.push_back(*gate);
  }
  return gates;
}

void expect_shape(const ComputeContext& ctx, std::size_t i, const Dims& shape, std::string_view what) {
  if (!ctx.has(i) || ctx.in(i).shape == shape) return;
  ctx.fail("{} is {}, expected {}", what, to_string(ctx.in(i).shape), to_string(shape));
}

}  // namespace

Recurrence read_recurrence(const ComputeContext& ctx) {
  const Node& node = ctx.node();
  Recurrence s;
  s.cell = node.op().ends_with("LSTM") ? Cell::kLstm : node.op() == "GRU" ? Cell::kGru : Cell::kRnn;
  s.gates = s.cell == Cell::kLstm ? 4 : s.cell == Cell::kGru ? 3 : 1;
  s.batch_first = node.int_or("layout", 0) != 0;
  const std::string direction = node.string_or("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    ctx.fail("direction is '{}', expected forward, reverse or bidirectional", direction);
  }
  s.directions = direction == "bidirectional" ? 2 : 1;
  s.reverse = direction == "reverse";
  const Dims& x = ctx.in(0).shape;
  const Dims& r = ctx.in(2).shape;
  if (x.size() != 3 || r.size() != 3)
    ctx.fail("input and R have ranks {} and {}, expected 3", x.size(), r.size());
  s.steps = x[s.batch_first ? 1 : 0];
  s.batch = x[s.batch_first ? 0 : 1];
  s.inputs = x[2];
  s.hidden = r[2];
  const std::int64_t d = s.directions;
  const std::int64_t wide = s.gates * s.hidden;
  const Dims state = s.batch_first ? Dims{s.batch, d, s.hidden} : Dims{d, s.batch, s.hidden};
  expect_shape(ctx, 1, {d, wide, s.inputs}, "W");
  expect_shape(ctx, 2, {d, wide, s.hidden}, "R");
  expect_shape(ctx, 3, {d, 2 * wide}, "B");
  expect_shape(ctx, 4, {s.batch}, "sequence_lens");
  expect_shape(ctx, 5, state, "initial_h");
  if (s.cell == Cell::kLstm) expect_shape(ctx, 6, state, "initial_c");
  if (s.cell == Cell::kLstm) expect_shape(ctx, 7, {d, 3 * s.hidden}, "P");
  s.linear_before_reset = node.int_or("linear_before_reset", 0) != 0;
  s.input_forget = node.int_or("input_forget", 0) != 0;
  s.clip = node.float_or("clip", 0);
  s.gate_list = gates_of(ctx, s);
  s.lengths.assign(static_cast<std::size_t>(s.batch), s.steps);
  if (ctx.has(4)) s.lengths = to_ints(ctx.in(4));
  for (const std::int64_t length : s.lengths) {
    if (length < 0 || length > s.steps)
      ctx.fail("a sequence has length {}, expected 0 to {}", length, s.steps);
  }
  return s;
}

}  // namespace compressor::ops

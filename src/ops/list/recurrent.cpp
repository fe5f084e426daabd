// LSTM, GRU, RNN: a unit is one hidden state with all its gates.
#include "compressor/ops/channels.h"
#include "ops/expect.h"
#include "ops/recurrence.h"
#include "ops/recurrence_back.h"
#include "ops/run_recurrence.h"

namespace compressor::ops {
namespace {

std::int64_t gates_of(const Node& node) {
  return node.op() == "LSTM" ? 4 : node.op() == "GRU" ? 3 : 1;
}

std::int64_t directions_of(const Node& node) {
  return node.string_or("direction", "forward") == "bidirectional" ? 2 : 1;
}

/// layout 1 puts the batch before time and directions.
bool batch_first(const Node& node) {
  return node.int_or("layout", 0) != 0;
}

void expect_dim(const InferContext& ctx, std::size_t i, std::int64_t axis, const SymDim& n,
                std::string_view what) {
  if (!ctx.has(i) || !ctx.in(i).ranked) return;
  const SymDim& found = ctx.in(i).dim(axis);
  if (!found.is_number() || !n.is_number() || found == n) return;
  ctx.fail("axis {} of {} is {}, expected {}", axis, what, found.number(), n.number());
}

// X [T, N, I], W [D, gates H, I], R [D, gates H, H], B [D, 2 gates H], lengths [N],
// initial_h, initial_c [D, N, H], P [D, 3 H] -> Y [T, D, N, H], Y_h, Y_c [D, N, H]
void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const Facts& r = ctx.in(2);
  expect_rank(ctx, x, "input", 3, 3);
  expect_rank(ctx, ctx.in(1), "W", 3, 3);
  expect_rank(ctx, r, "R", 3, 3);
  if (ctx.has(3)) expect_rank(ctx, ctx.in(3), "B", 2, 2);
  const std::string direction = ctx.node().string_or("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    ctx.fail("direction is '{}', expected forward, reverse or bidirectional", direction);
  }
  const std::int64_t d = directions_of(ctx.node());
  const std::int64_t gates = gates_of(ctx.node());
  SymDim h = r.ranked ? r.dims[2] : SymDim();
  if (ctx.node().attribute("hidden_size")) {
    h = agree(ctx, ctx.node().int_or("hidden_size", 0), h, "axis 2 of R");
  }
  expect_dim(ctx, 1, 0, d, "W");
  expect_dim(ctx, 1, 1, h * gates, "W");
  if (x.ranked) expect_dim(ctx, 1, 2, x.dims[2], "W");
  expect_dim(ctx, 2, 0, d, "R");
  expect_dim(ctx, 2, 1, h * gates, "R");
  expect_dim(ctx, 3, 0, d, "B");
  expect_dim(ctx, 3, 1, h * (2 * gates), "B");
  const bool first = batch_first(ctx.node());
  const SymDim t = x.ranked ? x.dims[first ? 1 : 0] : SymDim();
  const SymDim n = x.ranked ? x.dims[first ? 0 : 1] : SymDim();
  if (ctx.wants(0)) ctx.set(0, x.dtype, first ? SymDims{n, t, d, h} : SymDims{t, d, n, h});
  for (std::size_t i = 1; i < 3; ++i) {
    if (ctx.wants(i)) ctx.set(i, x.dtype, first ? SymDims{n, d, h} : SymDims{d, n, h});
  }
}

Cost cost(const CostContext& ctx) {
  const std::vector<double> x = ctx.in(0);
  const std::vector<double> w = ctx.in(1);
  const std::vector<double> r = ctx.in(2);
  if (!ctx.ok() || x.size() != 3 || w.size() != 3 || r.size() != 3) return {};
  const double steps = x[0] * x[1] * w[0];
  const double macs = steps * w[1] * (w[2] + r[2]);
  return {.macs = macs, .flops = 2 * macs + steps * w[1] * 4};  // bias and gate functions
}

Places repeat(const Places& list, std::int64_t times) {
  Places result;
  for (std::int64_t i = 0; i < times; ++i) result.insert(result.end(), list.begin(), list.end());
  return result;
}

void channels(ChannelContext& ctx) {
  const std::int64_t gates = gates_of(ctx.node());
  const Places unit = ctx.in_list(2, 2);
  const auto tie = [&](std::size_t i, std::int64_t axis, std::int64_t times, AxisRole role) {
    if (!ctx.has(i)) return;
    ctx.join(repeat(unit, times), ctx.in_list(i, axis));
    ctx.role(i, axis, role);
  };
  ctx.join(ctx.in_list(0, 2), ctx.in_list(1, 2));
  ctx.role(1, 2, AxisRole::kConsumer);
  tie(1, 1, gates, AxisRole::kProducer);
  tie(2, 1, gates, AxisRole::kProducer);
  ctx.role(2, 2, AxisRole::kConsumer);
  tie(3, 1, 2 * gates, AxisRole::kShift);
  tie(5, 2, 1, AxisRole::kNone);
  tie(6, 2, 1, AxisRole::kNone);
  tie(7, 1, 3, AxisRole::kNone);
  ctx.set_out(0, 3, unit);
  ctx.set_out(1, 2, unit);
  ctx.set_out(2, 2, unit);
  // Time and batch: the recurrence runs along one, the other passes. Directions stay.
  const std::int64_t batch = batch_first(ctx.node()) ? 0 : 1;
  for (const std::size_t i : {1, 2, 3, 5, 6, 7}) {
    const bool state = i == 5 || i == 6;
    if (ctx.has(i)) ctx.freeze(i, state ? 1 - batch : 0, "directions of the recurrence");
  }
  ctx.freeze(0, 1 - batch, "the recurrence runs along this axis");
  ctx.pass(0, batch, 0, batch == 0 ? 0 : 2);
  for (std::size_t i = 1; i < 3; ++i) ctx.pass(0, batch, i, batch);
  for (std::size_t i = 5; i < 7; ++i) {
    if (ctx.has(i)) ctx.join(ctx.in_list(0, batch), ctx.in_list(i, batch));
  }
  if (ctx.has(4)) ctx.join(ctx.in_list(0, batch), ctx.in_list(4, 0));
}

void shrink(ShrinkContext& ctx) {
  const std::int64_t h = ctx.new_in_dim(2, 2);
  if (h < 1) ctx.fail("cannot tell how many hidden units are left");
  if (ctx.node().attribute("hidden_size") && ctx.node().int_or("hidden_size", 0) != h) {
    ctx.set_attribute({"hidden_size", h});
  }
}

}  // namespace

void register_recurrent(OpTable& table) {
  for (const char* type : {"LSTM", "GRU", "RNN"}) {
    table.add({.type = type,
               .infer = infer,
               .cost = cost,
               .compute = compute_recurrence,
               .channels = channels,
               .shrink = shrink,
               .run = run_recurrence,
               .gradient = recurrence_gradient,
               .keep = {.inputs = kAll}});
  }
}

}  // namespace compressor::ops

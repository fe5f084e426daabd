// loop: Loop, a body run a number of times or while a condition holds, with states carried around.
#include "ops/bodies.h"

namespace compressor::ops {
namespace {

const Graph& body_of(const Node& node) {
  const Graph* body = node.body("body");
  if (!body) throw Error::model("node '{}' (Loop): attribute 'body' is missing", node.label());
  return *body;
}

std::size_t states_of(const Node& node) {
  const std::size_t n = node.inputs().size() < 2 ? 0 : node.inputs().size() - 2;
  const Graph& body = body_of(node);
  if (body.inputs().size() != n + 2 || body.outputs().size() < n + 1 || node.outputs().size() < n) {
    throw Error::model("node '{}' (Loop): {} states, and a body of {} inputs and {} outputs", node.label(), n,
                       body.inputs().size(), body.outputs().size());
  }
  return n;
}

/// How often the body runs, where nothing ends the loop early.
SymDim trip_count(const InferContext& ctx, const Facts& condition_out) {
  const SymDims* count = ctx.contents(0);
  if (!count || count->size() != 1) return {};
  if (!ctx.has(1)) return (*count)[0];
  const auto start = ctx.ints(1);
  const bool starts = start && start->size() == 1 && (*start)[0] != 0;
  const bool goes_on = condition_out.contents && *condition_out.contents == SymDims{SymDim(1)};
  return starts && goes_on ? (*count)[0] : SymDim();
}

void infer(InferContext& ctx) {
  const std::size_t n = states_of(ctx.node());
  std::vector<Facts> arguments;
  arguments.push_back(Facts::of(DType::kInt64, SymDims()));
  // A step only runs where the condition holds.
  arguments.push_back(Facts::of(DType::kBool, SymDims()));
  arguments.back().contents = SymDims{SymDim(1)};
  for (std::size_t i = 0; i < n; ++i) arguments.push_back(without_contents(ctx.in(i + 2)));
  const std::vector<Facts> results = settle_states(ctx, body_of(ctx.node()), arguments, 2, 1, n);
  for (std::size_t i = 0; i < n; ++i) ctx.set(i, arguments[i + 2]);
  const SymDim count = trip_count(ctx, results[0]);
  for (std::size_t i = n; i < ctx.num_outputs() && i + 1 < results.size(); ++i) {
    Facts scanned = without_contents(results[i + 1]);
    if (scanned.ranked) scanned.dims.insert(scanned.dims.begin(), count);
    ctx.set(i, std::move(scanned));
  }
}

void channels(ChannelContext& ctx) {
  const Graph& body = body_of(ctx.node());
  const std::size_t n = states_of(ctx.node());
  const auto straight = [](std::int64_t axis) { return axis; };
  for (std::size_t i = 0; i < n; ++i) {
    if (ctx.has(i + 2)) pass_value(ctx, *ctx.node().input(i + 2), *body.inputs()[i + 2], straight);
  }
  ctx.run_body(body);
  for (std::size_t i = 0; i < n; ++i) {
    join_values(ctx, *body.inputs()[i + 2], *body.outputs()[i + 1]);
    if (ctx.wants(i)) pass_value(ctx, *body.inputs()[i + 2], *ctx.node().output(i), straight);
  }
  for (std::size_t i = n; i < ctx.node().outputs().size(); ++i) {
    if (!ctx.wants(i)) continue;
    pass_value(ctx, *body.outputs()[i + 1], *ctx.node().output(i),
               [](std::int64_t axis) { return axis + 1; });
  }
}

}  // namespace

void register_loop(OpTable& table) {
  table.add({.type = "Loop", .infer = infer, .channels = channels});
}

}  // namespace compressor::ops

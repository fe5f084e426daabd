// loop: Loop, a body run a number of times or while a condition holds, with states carried around.
#include <limits>

#include "compressor/ops/run.h"
#include "ops/bodies.h"
#include "ops/stack.h"

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

std::int64_t number_at(RunContext& ctx, std::size_t i, std::int64_t otherwise) {
  if (!ctx.has(i)) return otherwise;
  const std::vector<std::int64_t> values = to_ints(ctx.in(i));
  if (values.size() != 1) ctx.fail("input {} has {} elements, expected 1", i, values.size());
  return values[0];
}

/// One number, in the rank in which the body declares it.
RunValue number_for(const Value& input, DType type, double value) {
  const Dims shape(input.type().has_shape && input.type().dims.size() == 1 ? 1 : 0, 1);
  return Tensor::of(type, shape, std::span<const double>(&value, 1));
}

/// What no step made: as the body declares it, unknown lengths 0.
Tensor nothing_of(const Value& output) {
  Dims shape{0};
  for (const Dim& d : output.type().dims) shape.push_back(d.value > 0 ? d.value : 0);
  const DType type = output.type().dtype == DType::kUndefined ? DType::kFloat : output.type().dtype;
  return CellsOut(type, shape).finish();
}

bool run(RunContext& ctx) {
  const Graph& body = body_of(ctx.node());
  const std::size_t n = states_of(ctx.node());
  const std::size_t outputs = ctx.node().outputs().size();
  if (body.outputs().size() < outputs + 1) ctx.fail("the body has {} outputs", body.outputs().size());
  const std::int64_t most = number_at(ctx, 0, std::numeric_limits<std::int64_t>::max());
  bool goes_on = number_at(ctx, 1, 1) != 0;
  std::vector<RunValue> states;
  for (std::size_t i = 0; i < n; ++i) states.push_back(ctx.value(i + 2));
  std::vector<std::vector<Tensor>> scanned(outputs - n);
  for (std::int64_t step = 0; step < most && goes_on; ++step) {
    std::vector<RunValue> arguments;
    arguments.push_back(number_for(*body.inputs()[0], DType::kInt64, static_cast<double>(step)));
    arguments.push_back(number_for(*body.inputs()[1], DType::kBool, 1));
    for (RunValue& state : states) arguments.push_back(std::move(state));
    std::vector<RunValue> results = ctx.run_body(body, std::move(arguments));
    goes_on = to_ints(results[0].tensor).at(0) != 0;
    for (std::size_t i = 0; i < n; ++i) states[i] = std::move(results[i + 1]);
    for (std::size_t i = 0; i < scanned.size(); ++i) {
      scanned[i].push_back(std::move(results[n + i + 1].tensor));
    }
  }
  for (std::size_t i = 0; i < n; ++i) ctx.set(i, std::move(states[i]));
  for (std::size_t i = 0; i < scanned.size(); ++i) {
    ctx.set(n + i, scanned[i].empty() ? nothing_of(*body.outputs()[n + i + 1]) : stacked(scanned[i], 0));
  }
  return true;
}

}  // namespace

void register_loop(OpTable& table) {
  table.add({.type = "Loop", .infer = infer, .channels = channels, .run = run});
}

}  // namespace compressor::ops

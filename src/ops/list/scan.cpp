// scan: Scan (since 9), a body run along an axis of its inputs, with states carried around.
#include <algorithm>

#include "compressor/ops/run.h"
#include "ops/bodies.h"
#include "ops/movement.h"
#include "ops/stack.h"

namespace compressor::ops {
namespace {

struct Parts {
  const Graph* body = nullptr;
  std::size_t states = 0, scanned_in = 0, scanned_out = 0;
};

Parts parts_of(const Node& node) {
  Parts l;
  l.body = node.body("body");
  const std::int64_t scanned = node.int_or("num_scan_inputs", 0);
  const auto inputs = static_cast<std::int64_t>(node.inputs().size());
  if (!l.body || scanned < 1 || scanned > inputs) {
    throw Error::model("node '{}' (Scan): {} scan inputs of {}, expected a body and at least one",
                       node.label(), scanned, inputs);
  }
  l.scanned_in = static_cast<std::size_t>(scanned);
  l.states = node.inputs().size() - l.scanned_in;
  if (l.body->inputs().size() != node.inputs().size() || l.body->outputs().size() < node.outputs().size() ||
      node.outputs().size() < l.states) {
    throw Error::model("node '{}' (Scan): a body of {} inputs and {} outputs for {} and {}", node.label(),
                       l.body->inputs().size(), l.body->outputs().size(), node.inputs().size(),
                       node.outputs().size());
  }
  l.scanned_out = node.outputs().size() - l.states;
  return l;
}

std::int64_t axis_of(const Node& node, const char* attribute, std::size_t i, std::int64_t rank) {
  const Ints axes = node.ints_or(attribute, {});
  return axis_in(node, i < axes.size() ? axes[i] : 0, rank);
}

void infer(InferContext& ctx) {
  const Parts l = parts_of(ctx.node());
  std::vector<Facts> arguments;
  SymDim steps;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    Facts f = without_contents(ctx.in(i));
    if (i >= l.states && f.ranked) {
      const std::int64_t axis = axis_of(ctx.node(), "scan_input_axes", i - l.states, f.rank());
      steps = better_known(steps, f.dim(axis));
      f.dims.erase(f.dims.begin() + axis);
    }
    arguments.push_back(std::move(f));
  }
  const std::vector<Facts> results = settle_states(ctx, *l.body, arguments, 0, 0, l.states);
  for (std::size_t i = 0; i < l.states; ++i) ctx.set(i, arguments[i]);
  for (std::size_t i = 0; i < l.scanned_out; ++i) {
    Facts f = without_contents(results[l.states + i]);
    if (f.ranked) {
      f.dims.insert(f.dims.begin() + axis_of(ctx.node(), "scan_output_axes", i, f.rank() + 1), steps);
    }
    ctx.set(l.states + i, std::move(f));
  }
}

void channels(ChannelContext& ctx) {
  const Node& node = ctx.node();
  const Parts l = parts_of(node);
  const auto straight = [](std::int64_t axis) { return axis; };
  for (std::size_t i = 0; i < l.states; ++i) pass_value(ctx, *node.input(i), *l.body->inputs()[i], straight);
  for (std::size_t i = l.states; i < node.inputs().size(); ++i) {
    if (!ctx.in(i).ranked) return ctx.freeze_all("has an input of unknown rank");
    const std::int64_t walked = axis_of(node, "scan_input_axes", i - l.states, ctx.in(i).rank());
    pass_value(ctx, *node.input(i), *l.body->inputs()[i],
               [=](std::int64_t axis) { return axis == walked ? -1 : axis - (axis > walked ? 1 : 0); });
  }
  ctx.run_body(*l.body);
  for (std::size_t i = 0; i < l.states; ++i) {
    join_values(ctx, *l.body->inputs()[i], *l.body->outputs()[i]);
    if (ctx.wants(i)) pass_value(ctx, *l.body->inputs()[i], *node.output(i), straight);
  }
  for (std::size_t i = l.states; i < node.outputs().size(); ++i) {
    if (!ctx.wants(i) || !ctx.out(i).ranked) continue;
    const std::int64_t made = axis_of(node, "scan_output_axes", i - l.states, ctx.out(i).rank());
    pass_value(ctx, *l.body->outputs()[i], *node.output(i),
               [=](std::int64_t axis) { return axis + (axis >= made ? 1 : 0); });
  }
}

/// 0: forward, 1: from the end.
bool reversed(const Node& node, const char* attribute, std::size_t i) {
  const Ints directions = node.ints_or(attribute, {});
  return i < directions.size() && directions[i] != 0;
}

bool run(RunContext& ctx) {
  const Node& node = ctx.node();
  const Parts l = parts_of(node);
  std::vector<RunValue> states;
  for (std::size_t i = 0; i < l.states; ++i) states.push_back(ctx.value(i));
  std::int64_t steps = -1;
  Ints axes;
  for (std::size_t i = 0; i < l.scanned_in; ++i) {
    const Tensor& x = ctx.in(l.states + i);
    axes.push_back(axis_of(node, "scan_input_axes", i, x.rank()));
    const std::int64_t length = x.shape[static_cast<std::size_t>(axes.back())];
    if (steps >= 0 && length != steps) ctx.fail("scan inputs have {} and {} steps", steps, length);
    steps = length;
  }
  std::vector<std::vector<Tensor>> scanned(l.scanned_out);
  for (std::int64_t step = 0; step < steps; ++step) {
    std::vector<RunValue> arguments;
    for (RunValue& state : states) arguments.push_back(std::move(state));
    for (std::size_t i = 0; i < l.scanned_in; ++i) {
      const std::int64_t at = reversed(node, "scan_input_directions", i) ? steps - 1 - step : step;
      arguments.emplace_back(without_axis(part_of(ctx.in(l.states + i), axes[i], at, 1), axes[i]));
    }
    std::vector<RunValue> results = ctx.run_body(*l.body, std::move(arguments));
    for (std::size_t i = 0; i < l.states; ++i) states[i] = std::move(results[i]);
    for (std::size_t i = 0; i < l.scanned_out; ++i) {
      scanned[i].push_back(std::move(results[l.states + i].tensor));
    }
  }
  for (std::size_t i = 0; i < l.states; ++i) ctx.set(i, std::move(states[i]));
  for (std::size_t i = 0; i < l.scanned_out; ++i) {
    if (scanned[i].empty()) ctx.fail("there are no steps, and output {} is of unknown shape", l.states + i);
    if (reversed(node, "scan_output_directions", i)) std::reverse(scanned[i].begin(), scanned[i].end());
    ctx.set(l.states + i,
            stacked(scanned[i], axis_of(node, "scan_output_axes", i, scanned[i][0].rank() + 1)));
  }
  return true;
}

}  // namespace

void register_scan(OpTable& table) {
  table.add({.type = "Scan", .since = 9, .infer = infer, .channels = channels, .run = run});
}

}  // namespace compressor::ops

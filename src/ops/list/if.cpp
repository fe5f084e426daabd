// if: If, whose outputs are those of one of two bodies.
#include <algorithm>

#include "compressor/ops/run.h"
#include "ops/bodies.h"

namespace compressor::ops {
namespace {

const Graph& branch(const Node& node, const char* name) {
  const Graph* body = node.body(name);
  if (!body) throw Error::model("node '{}' (If): attribute '{}' is missing", node.label(), name);
  if (body->outputs().size() < node.outputs().size()) {
    throw Error::model("node '{}' (If): {} has {} outputs, expected {}", node.label(), name,
                       body->outputs().size(), node.outputs().size());
  }
  return *body;
}

void infer(InferContext& ctx) {
  const Graph& then_body = branch(ctx.node(), "then_branch");
  const Graph& else_body = branch(ctx.node(), "else_branch");
  const std::vector<Facts> a = ctx.infer_body(then_body, {});
  const std::vector<Facts> b = ctx.infer_body(else_body, {});
  const auto condition = ctx.ints(0);
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i) {
    if (condition && condition->size() == 1) {
      ctx.set(i, (*condition)[0] != 0 ? a[i] : b[i]);
    } else {
      ctx.set(i, either(a[i], b[i]));
    }
  }
}

void channels(ChannelContext& ctx) {
  const Graph& then_body = branch(ctx.node(), "then_branch");
  const Graph& else_body = branch(ctx.node(), "else_branch");
  ctx.run_body(then_body);
  ctx.run_body(else_body);
  for (std::size_t i = 0; i < ctx.node().outputs().size(); ++i) {
    if (!ctx.wants(i)) continue;
    const Value& a = *then_body.outputs()[i];
    const Value& b = *else_body.outputs()[i];
    const std::int64_t rank_a = ctx.facts(a).rank();
    const std::int64_t rank_b = ctx.facts(b).rank();
    const bool fits = ctx.out(i).ranked && rank_a == ctx.out(i).rank() && rank_b == rank_a;
    for (std::int64_t axis = 0; axis < std::max(rank_a, rank_b); ++axis) {
      const Places x = axis < rank_a ? ctx.list(a, axis) : Places();
      const Places y = axis < rank_b ? ctx.list(b, axis) : Places();
      if (!fits || (!x.empty() && !y.empty() && x.size() != y.size())) {
        ctx.freeze(x, "is of another shape in the other branch");
        ctx.freeze(y, "is of another shape in the other branch");
        continue;
      }
      ctx.join(x, y);
      ctx.set_out(i, axis, x.empty() ? y : x);
    }
  }
}

bool run(RunContext& ctx) {
  const Graph& then_body = branch(ctx.node(), "then_branch");
  const Graph& else_body = branch(ctx.node(), "else_branch");
  const std::vector<std::int64_t> condition = to_ints(ctx.in(0));
  if (condition.size() != 1) ctx.fail("the condition has {} elements, expected 1", condition.size());
  std::vector<RunValue> results = ctx.run_body(condition[0] != 0 ? then_body : else_body, {});
  for (std::size_t i = 0; i < ctx.node().outputs().size(); ++i) ctx.set(i, std::move(results[i]));
  return true;
}

}  // namespace

void register_if(OpTable& table) {
  table.add({.type = "If", .infer = infer, .channels = channels, .run = run});
}

}  // namespace compressor::ops

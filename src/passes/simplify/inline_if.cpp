// inline if: x -> If(true) { then: f(x) } { else: g(x) } -> y   ==>   x -> f -> y
//
// When the condition is always the same. What the branch captured it reads directly.
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

std::optional<bool> condition(const Rewriter& r, const Value* value) {
  if (!value) return std::nullopt;
  if (const auto t = r.constant(value)) {
    if (t->dtype != DType::kBool || t->size() != 1) return std::nullopt;
    return to_ints(*t).front() != 0;
  }
  const Facts& f = r.facts(*value);
  const auto known = f.contents ? numbers(*f.contents) : std::nullopt;
  if (!known || known->size() != 1) return std::nullopt;
  return known->front() != 0;
}

bool apply(Rewriter& r, const Node& node) {
  const auto taken = condition(r, node.input(0));
  if (!taken) return false;
  const Graph* body = node.body(*taken ? "then_branch" : "else_branch");
  if (!body || !body->inputs().empty() || body->outputs().size() != node.outputs().size()) return false;
  r.inline_body(node, *body, {}, (node.name().empty() ? "If" : node.name()) + "/");
  return true;
}

}  // namespace

Rewrite inline_if() {
  return {.name = "inline-if", .roots = {"If"}, .apply = apply};
}

}  // namespace compressor::simplify

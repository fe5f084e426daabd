// drop cast: x: float -> Cast(to float) -> y   ==>   x
//
// When the type of x is known and is already the one that Cast or CastLike makes.
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool apply(Rewriter& r, const Node& node) {
  const Value* x = node.input(0);
  const Value* y = node.output(0);
  if (!x || !y) return false;
  const DType from = r.facts(*x).dtype;
  DType to = DType::kUndefined;
  if (node.is("CastLike")) {
    if (node.input(1)) to = r.facts(*node.input(1)).dtype;
  } else if (const Attribute* a = node.attribute("to"); a && a->get<std::int64_t>()) {
    to = static_cast<DType>(*a->get<std::int64_t>());
  }
  if (from == DType::kUndefined || from != to || !Graph::can_replace(*y, *x)) return false;
  r.replace(*y, *x);
  return true;
}

}  // namespace

Rewrite drop_cast() {
  return {.name = "drop-cast", .roots = {"Cast", "CastLike"}, .apply = apply};
}

}  // namespace compressor::simplify

// drop view: x: [a, b] -> Reshape | Flatten | Squeeze | Unsqueeze | Expand | Tile -> y: [a, b]   ==>   x
//
// When both shapes are known to be equal, symbols included: these operators only copy then.
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool apply(Rewriter& r, const Node& node) {
  const Value* x = node.input(0);
  const Value* y = node.output(0);
  if (!x || !y || !r.same_shape(*x, *y) || !Graph::can_replace(*y, *x)) return false;
  r.replace(*y, *x);
  return true;
}

}  // namespace

Rewrite drop_view() {
  return {.name = "drop-view",
          .roots = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile"},
          .apply = apply};
}

}  // namespace compressor::simplify

// drop identity: x -> Identity -> y -> Op   ==>   x -> Op
//
// It stays where it gives a second name to the interface: a graph input or initializer, or another graph's
// value, that is a graph output too.
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool apply(Rewriter& r, const Node& node) {
  const Value* x = node.input(0);
  const Value* y = node.output(0);
  if (!x || !y || !Graph::can_replace(*y, *x)) return false;
  r.replace(*y, *x);
  return true;
}

}  // namespace

Rewrite drop_identity() {
  return {.name = "drop-identity", .roots = {"Identity"}, .apply = apply};
}

}  // namespace compressor::simplify

// drop single: x -> Concat | Sum | Mean | Max | Min (of x alone) -> y   ==>   x      x -> Split -> y alone
// ==>   x
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool apply(Rewriter& r, const Node& node) {
  const Value* x = node.input(0);
  const Value* y = node.output(0);
  const bool one_input = node.inputs().size() == 1 || node.is("Split");
  if (!x || !y || !one_input || node.outputs().size() != 1 || !Graph::can_replace(*y, *x)) return false;
  r.replace(*y, *x);
  return true;
}

}  // namespace

Rewrite drop_single() {
  return {.name = "drop-single", .roots = {"Concat", "Sum", "Mean", "Max", "Min", "Split"}, .apply = apply};
}

}  // namespace compressor::simplify

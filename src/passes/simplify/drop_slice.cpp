// drop slice: x: [a, b] -> Slice(step 1) -> y: [a, b]   ==>   x
//
// When the shapes are known to be equal and no axis runs backwards.
#include <algorithm>

#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool apply(Rewriter& r, const Node& node) {
  const Value* x = node.input(0);
  const Value* y = node.output(0);
  if (!x || !y || !r.same_shape(*x, *y) || !Graph::can_replace(*y, *x)) return false;
  if (node.input(4)) {
    const auto steps = r.ints(node.input(4));
    if (!steps || !std::all_of(steps->begin(), steps->end(), [](std::int64_t s) { return s == 1; }))
      return false;
  }
  r.replace(*y, *x);
  return true;
}

}  // namespace

Rewrite drop_slice() {
  return {.name = "drop-slice", .roots = {"Slice"}, .apply = apply};
}

}  // namespace compressor::simplify

// drop pad: x -> Pad(0, 0, .., 0) -> y   ==>   x
//
// The amounts are an attribute up to opset 10 ("paddings" in opset 1), an input after it.
#include <algorithm>

#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool apply(Rewriter& r, const Node& node) {
  const Value* x = node.input(0);
  const Value* y = node.output(0);
  if (!x || !y || !Graph::can_replace(*y, *x)) return false;
  const std::string name = node.attribute("pads") ? "pads" : "paddings";
  const auto pads = r.ints_or_attribute(node, 1, name);
  if (!pads || !std::all_of(pads->begin(), pads->end(), [](std::int64_t p) { return p == 0; })) return false;
  r.replace(*y, *x);
  return true;
}

}  // namespace

Rewrite drop_pad() {
  return {.name = "drop-pad", .roots = {"Pad"}, .apply = apply};
}

}  // namespace compressor::simplify

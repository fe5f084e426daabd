// drop transpose: x -> Transpose(perm = 0, 1, 2, ..) -> y   ==>   x
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool apply(Rewriter& r, const Node& node) {
  const Value* x = node.input(0);
  const Value* y = node.output(0);
  const auto perm = node.ints_or("perm", {});
  if (!x || !y || perm.empty() || !Graph::can_replace(*y, *x)) return false;
  for (std::size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  }
  r.replace(*y, *x);
  return true;
}

}  // namespace

Rewrite drop_transpose() {
  return {.name = "drop-transpose", .roots = {"Transpose"}, .apply = apply};
}

}  // namespace compressor::simplify

// constants to initializers: Constant -> c -> Op   ==>   initializer c -> Op
//
// Not for a graph output (a node computes those), sparse constants, and bodies of IR versions below 4 (there
// an initializer would have to be an input of the body).
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool apply(Rewriter& r, const Node& node) {
  const Value* out = node.output(0);
  if (!out || out->is_graph_output() || (node.graph().holder() && r.model().ir_version < 4)) return false;
  auto tensor = constant_of(*out);
  if (!tensor) return false;
  r.replace(*out, std::move(*tensor));
  return true;
}

}  // namespace

Rewrite constants_to_initializers() {
  return {.name = "constants-to-initializers", .roots = {"Constant"}, .apply = apply};
}

}  // namespace compressor::simplify

// merge views: x: s -> View -> View -> y: s    ==>   x
//              x    -> View -> View -> y: t    ==>   x -> Reshape(t) -> y
//
// where View is Reshape, Flatten, Squeeze or Unsqueeze: row-major order stays, only the last shape counts.
// The first case asks for equal shapes, symbols included; the second for a t of numbers, or a Reshape whose
// target copies no axis (no 0 in it), and that nothing else reads the value between.
#include <algorithm>

#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool is_view(const Node& node) {
  return node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze");
}

/// A Reshape whose target means the same whatever shape comes in.
bool is_absolute(const Rewriter& r, const Node& node) {
  if (!node.is("Reshape") || !node.input(1)) return false;
  const auto target = r.ints(node.input(1));
  return target && (node.int_or("allowzero", 0) != 0 ||
                    std::none_of(target->begin(), target->end(), [](std::int64_t d) { return d == 0; }));
}

bool apply(Rewriter& r, const Node& node) {
  const Value* y = node.output(0);
  const Value* middle = node.input(0);
  const Node* first = middle ? middle->producer() : nullptr;
  if (!y || !first || !is_view(*first) || !first->input(0) || &first->graph() != &node.graph()) return false;
  if (!r.may_touch(*first)) return false;
  const Value& x = *first->input(0);
  if (r.same_shape(x, *y) && Graph::can_replace(*y, x)) {
    r.replace(*y, x);
    return true;
  }
  if (middle->uses().size() != 1) return false;
  if (is_absolute(r, node)) {
    r.set_input(node, 0, &x);
    return true;
  }
  const auto shape = r.facts(*y).shape();
  if (!shape || r.opset(node) < 5 || num_elements(*shape) == 0) return false;
  const Value* target = r.add_constant(
      y->name() + "_shape",
      Tensor::of({static_cast<std::int64_t>(shape->size())}, std::span<const std::int64_t>(*shape)), node);
  const Node& merged = r.add_node(
      {.op = "Reshape", .inputs = {&x, target}, .outputs = {y->name()}, .name = node.name()}, node);
  r.replace(*y, *merged.output(0));
  return true;
}

}  // namespace

Rewrite merge_views() {
  return {.name = "merge-views", .roots = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}, .apply = apply};
}

}  // namespace compressor::simplify

// merge transposes: x -> Transpose(p) -> Transpose(q) -> y   ==>   x -> Transpose(r) -> y,   r[i] = p[q[i]]
//
// The first one stays when others read it too. A missing perm reverses the axes, which needs their number.
#include <numeric>

#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

std::optional<std::vector<std::int64_t>> permutation(const Rewriter& r, const Node& node) {
  auto perm = node.ints_or("perm", {});
  if (!perm.empty()) return perm;
  const Facts& f = r.facts(*node.input(0));
  if (!f.ranked) return std::nullopt;
  perm.resize(f.dims.size());
  std::iota(perm.rbegin(), perm.rend(), 0);
  return perm;
}

bool apply(Rewriter& r, const Node& node) {
  const Value* middle = node.input(0);
  const Node* first = middle ? middle->producer() : nullptr;
  if (!first || !first->is("Transpose") || !first->input(0) || !r.may_touch(*first)) return false;
  if (&first->graph() != &node.graph()) return false;
  const auto p = permutation(r, *first);
  const auto q = permutation(r, node);
  if (!p || !q || p->size() != q->size()) return false;
  Attribute::Ints merged;
  for (const std::int64_t axis : *q) {
    if (axis < 0 || axis >= static_cast<std::int64_t>(p->size())) return false;
    merged.push_back((*p)[static_cast<std::size_t>(axis)]);
  }
  r.set_attribute(node, {"perm", std::move(merged)});
  r.set_input(node, 0, first->input(0));
  return true;
}

}  // namespace

Rewrite merge_transposes() {
  return {.name = "merge-transposes", .roots = {"Transpose"}, .apply = apply};
}

}  // namespace compressor::simplify

// fold affine: x -> Conv | ConvTranspose | Gemm (W, b) -> Mul | Div | Add | Sub by c -> y   ==>   x -> Conv
// (W', b') -> y
//
//   Mul: W c, b c     Div: W / c, b / c     Add: W, b + c     Sub: W, b - c
//
// Conditions: c is constant, one number or one for every channel, and does not make the result larger; of Div
// and Sub it is the second operand; opset 7 or later (numpy broadcasting); weight and result as for fold
// batchnorm.
#include "passes/simplify/linear.h"
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

/// c for every channel, when it is aligned with axis 1 of a tensor of `rank` axes.
std::optional<std::vector<double>> aligned(const Rewriter& r, const Value* value, const Linear& linear) {
  const auto t = r.constant(value);
  if (!t || t->dtype != linear.weight.dtype || t->rank() > linear.rank) return std::nullopt;
  for (std::int64_t i = 0; i < t->rank(); ++i) {
    const std::int64_t axis = linear.rank - t->rank() + i;
    const std::int64_t length = t->shape[static_cast<std::size_t>(i)];
    if (length != 1 && !(axis == 1 && length == linear.channels)) return std::nullopt;
  }
  std::vector<double> values = to_doubles(*t);
  if (values.size() == 1) values.resize(static_cast<std::size_t>(linear.channels), values.front());
  return values;
}

Affine affine_of(const Node& node, const std::vector<double>& c) {
  Affine a;
  for (const double v : c) {
    const bool scales = node.is("Mul") || node.is("Div");
    a.scale.push_back(node.is("Mul") ? v : node.is("Div") ? 1 / v : 1);
    a.shift.push_back(scales ? 0 : node.is("Add") ? v : -v);
  }
  return a;
}

bool apply(Rewriter& r, const Node& node) {
  const Value* y = node.output(0);
  if (!y || node.inputs().size() != 2 || !node.input(0) || !node.input(1) || r.opset(node) < 7) return false;
  const bool commutes = node.is("Mul") || node.is("Add");
  const std::size_t side = commutes && r.constant(node.input(0)) ? 1 : 0;
  const Value& x = *node.input(side);
  if (!r.constant(node.input(1 - side))) return false;
  const auto linear = linear_before(r, &x, node);
  if (!linear) return false;
  const auto c = aligned(r, node.input(1 - side), *linear);
  if (!c) return false;
  const Affine affine = affine_of(node, *c);
  if (!all_finite(affine)) return false;
  absorb(r, *linear, affine);
  r.replace(*y, x);
  return true;
}

}  // namespace

Rewrite fold_affine() {
  return {.name = "fold-affine", .roots = {"Mul", "Div", "Add", "Sub"}, .apply = apply};
}

}  // namespace compressor::simplify

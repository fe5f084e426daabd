// fold batchnorm: x -> Conv | ConvTranspose | Gemm (W, b) -> BatchNormalization -> y   ==>   x -> Conv (W',
// b') -> y
//
//   W'[c] = W[c] s[c],   b'[c] = (b[c] - mean[c]) s[c] + B[c],   s = gamma / sqrt(var + epsilon)
//
// Conditions: inference (opset 14: training_mode 0; before 7: is_test), per channel (before 9: spatial 1),
// constant parameters, a float32 or float64 weight that nothing else reads, a result that nothing else reads.
// The arithmetic is double; the result is rounded once.
#include <cmath>

#include "passes/simplify/linear.h"
#include "passes/simplify/rewrites.h"

namespace compressor::simplify {
namespace {

bool infers(const Rewriter& r, const Node& node) {
  const std::int64_t opset = r.opset(node);
  if (opset < 7 && node.int_or("is_test", 0) == 0) return false;
  if (opset < 9 && node.int_or("spatial", 1) == 0) return false;
  if (node.int_or("training_mode", 0) != 0) return false;
  for (std::size_t i = 1; i < node.outputs().size(); ++i) {
    if (node.output(i) && !node.output(i)->uses().empty()) return false;
  }
  return true;
}

std::optional<Affine> affine_of(const Rewriter& r, const Node& node, std::int64_t channels) {
  const auto gamma = per_channel(r, node.input(1), channels);
  const auto beta = per_channel(r, node.input(2), channels);
  const auto mean = per_channel(r, node.input(3), channels);
  const auto var = per_channel(r, node.input(4), channels);
  if (!gamma || !beta || !mean || !var) return std::nullopt;
  const auto epsilon = static_cast<double>(node.float_or("epsilon", 1e-5F));
  Affine a;
  for (std::size_t c = 0; c < gamma->size(); ++c) {
    a.scale.push_back((*gamma)[c] / std::sqrt((*var)[c] + epsilon));
    a.shift.push_back((*beta)[c] - (*mean)[c] * a.scale[c]);
  }
  return a;
}

bool apply(Rewriter& r, const Node& node) {
  const Value* y = node.output(0);
  if (!y || !infers(r, node)) return false;
  const auto linear = linear_before(r, node.input(0), node);
  if (!linear) return false;
  const auto affine = affine_of(r, node, linear->channels);
  if (!affine) return false;
  if (!all_finite(*affine)) {
    r.skip(node, "not folded: its scale and shift are not all finite");
    return false;
  }
  const Value& x = *node.input(0);
  absorb(r, *linear, *affine);
  r.replace(*y, x);
  return true;
}

}  // namespace

Rewrite fold_batchnorm() {
  return {.name = "fold-batchnorm", .roots = {"BatchNormalization"}, .apply = apply};
}

}  // namespace compressor::simplify

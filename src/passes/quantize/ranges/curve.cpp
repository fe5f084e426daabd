// curve: the function that every reader of a value computes.
//
// What lies where the function is flat may be clipped: SiLU makes next to nothing of numbers below -8, and a
// range that leaves them out has finer steps for the others.
//
//   x -> Tanh                          x -> Sigmoid -> Mul -> ..  (SiLU; with HardSigmoid: HardSwish)
//                                      x -----------> Mul
#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "passes/quantize/ranges/observer.h"

namespace compressor::quantize {
namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double softplus(double x) {
  return x > 30 ? x : std::log1p(std::exp(x));
}
double hard_sigmoid(double x, double slope) {
  return std::clamp(slope * x + 0.5, 0.0, 1.0);
}

struct Named {
  std::string_view op;
  Curve curve;
};

/// Functions with the attributes' defaults.
constexpr std::array kCurves{
    Named{"Sigmoid", sigmoid},
    Named{"Tanh", [](double x) { return std::tanh(x); }},
    Named{"HardSigmoid", [](double x) { return hard_sigmoid(x, 0.2); }},
    Named{"HardSwish", [](double x) { return x * hard_sigmoid(x, 1.0 / 6); }},
    Named{"Gelu", [](double x) { return x * (1 + std::erf(x / std::sqrt(2.0))) / 2; }},
    Named{"Mish", [](double x) { return x * std::tanh(softplus(x)); }},
    Named{"Softplus", softplus},
    Named{"Elu", [](double x) { return x < 0 ? std::expm1(x) : x; }},
    Named{"Relu", [](double x) { return std::max(x, 0.0); }},
};

/// x * node(x): what stands behind a gate that is read with x by one Mul.
constexpr std::array kGated{
    Named{"Sigmoid", [](double x) { return x * sigmoid(x); }},
    Named{"HardSigmoid", [](double x) { return x * hard_sigmoid(x, 1.0 / 6); }},
};

template <std::size_t N>
Curve find(const std::array<Named, N>& curves, const std::string& op) {
  const auto found = std::find_if(curves.begin(), curves.end(), [&](const Named& n) { return n.op == op; });
  return found == curves.end() ? nullptr : found->curve;
}

/// HardSigmoid has two sets of numbers that are in use.
bool has_slope(const Node& node, double slope) {
  return std::abs(static_cast<double>(node.float_or("alpha", 0.2F)) - slope) < 1e-4 &&
         std::abs(static_cast<double>(node.float_or("beta", 0.5F)) - 0.5) < 1e-4;
}

/// The curve of a gate and the product behind it, when these two are all that read the value.
Curve gated(const Value& value) {
  const auto& uses = value.uses();
  if (uses.size() != 2) return nullptr;
  for (const std::size_t first : {0U, 1U}) {
    const Node* gate = uses[first].node;
    const Node* product = uses[1 - first].node;
    if (!gate || !product || !product->is("Mul")) continue;
    const Curve curve = find(kGated, gate->op());
    if (!curve || (gate->is("HardSigmoid") && !has_slope(*gate, 1.0 / 6))) continue;
    const Value* opened = gate->output(0);
    if (!opened || opened->uses().size() != 1 || opened->uses()[0].node != product) continue;
    return curve;
  }
  return nullptr;
}

}  // namespace

Curve curve_behind(const Value& value) {
  const auto& uses = value.uses();
  if (uses.empty()) return nullptr;
  if (const Curve curve = gated(value)) return curve;
  const Node* first = uses[0].node;
  if (!first || !first->domain().empty()) return nullptr;
  for (const Use& use : uses) {
    if (!use.node || use.node->op() != first->op() || !use.node->domain().empty()) return nullptr;
  }
  if (first->is("HardSigmoid") && !has_slope(*first, 0.2)) return nullptr;
  if (first->is("Elu") && first->float_or("alpha", 1) != 1) return nullptr;
  return find(kCurves, first->op());
}

}  // namespace compressor::quantize

// activation: the kernel's name and numbers for a node.
#include "compressor/ops/activation.h"

#include <algorithm>
#include <limits>

#include "compressor/ops/op.h"

namespace compressor::ops {
namespace {

using kernels::Activation;
using Kind = Activation::Kind;

std::optional<float> bound(const Model& model, const Node& node, std::size_t i, const char* attribute,
                           float otherwise) {
  if (node.attribute(attribute)) return node.float_or(attribute, otherwise);
  const Value* value = node.input(i);
  if (!value) return otherwise;
  const auto constant = fixed_constant(model, *value);
  if (!constant || constant->dtype != DType::kFloat || constant->size() != 1) return std::nullopt;
  return to_floats(*constant)[0];
}

std::optional<Activation> clip(const Model& model, const Node& node) {
  const auto low = bound(model, node, 1, "min", std::numeric_limits<float>::lowest());
  const auto high = bound(model, node, 2, "max", std::numeric_limits<float>::max());
  if (!low || !high || !(*low <= *high)) return std::nullopt;
  return Activation{Kind::kClip, *low, *high};
}

}  // namespace

std::optional<Activation> as_activation(const Model& model, const Node& node) {
  return node.is("Clip") ? clip(model, node) : activation_of(node);
}

bool is_activation(std::string_view type) {
  constexpr std::string_view kKnown[] = {"Relu",      "Sigmoid",  "Tanh", "LeakyRelu", "Elu", "HardSigmoid",
                                         "HardSwish", "Softplus", "Mish", "Swish",     "Gelu"};
  return std::find(std::begin(kKnown), std::end(kKnown), type) != std::end(kKnown);
}

std::optional<Activation> activation_of(const Node& node) {
  const std::string& op = node.op();
  if (!node.domain().empty()) return std::nullopt;
  if (op == "Relu") return Activation{Kind::kRelu};
  if (op == "Sigmoid") return Activation{Kind::kSigmoid};
  if (op == "Tanh") return Activation{Kind::kTanh};
  if (op == "LeakyRelu") return Activation{Kind::kLeakyRelu, node.float_or("alpha", 0.01F)};
  if (op == "Elu") return Activation{Kind::kElu, node.float_or("alpha", 1.0F)};
  if (op == "HardSigmoid") {
    return Activation{Kind::kHardSigmoid, node.float_or("alpha", 0.2F), node.float_or("beta", 0.5F)};
  }
  if (op == "HardSwish") return Activation{Kind::kHardSwish};
  if (op == "Softplus") return Activation{Kind::kSoftplus};
  if (op == "Mish") return Activation{Kind::kMish};
  if (op == "Swish") return Activation{Kind::kSilu, node.float_or("alpha", 1.0F)};
  if (op == "Gelu") {
    return Activation{node.string_or("approximate", "none") == "tanh" ? Kind::kGeluTanh : Kind::kGelu};
  }
  return std::nullopt;
}

}  // namespace compressor::ops

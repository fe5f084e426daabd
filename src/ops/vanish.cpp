// vanish: which operators keep zero zero.
#include "ops/vanish.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace compressor::ops {
namespace {

// f(0) = 0, or movement.
const std::unordered_set<std::string_view> kKeepsZero = {"Relu",
                                                         "LeakyRelu",
                                                         "PRelu",
                                                         "Elu",
                                                         "Selu",
                                                         "Celu",
                                                         "Tanh",
                                                         "Abs",
                                                         "Neg",
                                                         "Sign",
                                                         "Floor",
                                                         "Ceil",
                                                         "Round",
                                                         "Sqrt",
                                                         "Erf",
                                                         "Sin",
                                                         "Tan",
                                                         "Asin",
                                                         "Atan",
                                                         "Sinh",
                                                         "Asinh",
                                                         "Atanh",
                                                         "Softsign",
                                                         "HardSwish",
                                                         "Mish",
                                                         "Gelu",
                                                         "Swish",
                                                         "ThresholdedRelu",
                                                         "Identity",
                                                         "Cast",
                                                         "Dropout",
                                                         "Transpose",
                                                         "Reshape",
                                                         "Flatten",
                                                         "Squeeze",
                                                         "Unsqueeze",
                                                         "Slice",
                                                         "Split",
                                                         "Gather",
                                                         "MaxPool",
                                                         "AveragePool",
                                                         "GlobalMaxPool",
                                                         "GlobalAveragePool",
                                                         "ReduceSum",
                                                         "ReduceMean",
                                                         "ReduceMax",
                                                         "ReduceMin",
                                                         "ReduceL1",
                                                         "ReduceL2",
                                                         "ReduceSumSquare",
                                                         "Expand",
                                                         "Tile",
                                                         "DepthToSpace",
                                                         "SpaceToDepth",
                                                         "Resize",
                                                         "Upsample"};
// Weights and bias make the channels: all of a removed one is zero.
const std::unordered_set<std::string_view> kMakesChannels = {
    "Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "LayerNormalization"};
// Zero when all inputs are.
const std::unordered_set<std::string_view> kAllZero = {"Add", "Sub", "Sum", "Max", "Min", "Mean", "Concat"};

bool vanishes(const Value& value, int depth) {
  const Node* node = value.producer();
  if (value.initializer() || (node && node->is("Constant"))) {
    // A constant along the channel's axis alone loses its entries; a scalar or a picture does not.
    const auto constant = constant_of(value);
    return constant && std::count_if(constant->shape.begin(), constant->shape.end(),
                                     [](std::int64_t n) { return n > 1; }) == 1;
  }
  if (!node || !node->domain().empty() || depth > 64) return false;
  const std::string_view op = node->op();
  if (kMakesChannels.contains(op)) return true;
  if (kKeepsZero.contains(op)) return node->input(0) && vanishes(*node->input(0), depth + 1);
  bool any = false, all = true;
  if (op != "Mul" && op != "Div" && !kAllZero.contains(op)) return false;
  for (const Value* input : node->inputs()) {
    const bool zero = input && vanishes(*input, depth + 1);
    any = any || zero;
    all = all && zero;
  }
  if (op == "Div") return node->input(0) && vanishes(*node->input(0), depth + 1);
  return op == "Mul" ? any : all;
}

}  // namespace

bool vanishes_with_its_channels(const Value& value) {
  return vanishes(value, 0);
}

}  // namespace compressor::ops

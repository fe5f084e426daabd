// float_only: the list, and the exceptions within operators.
#include "passes/narrow/float_only.h"

#include <algorithm>
#include <set>
#include <string>

namespace compressor::narrow {

bool is_float_input(const Node& node, std::size_t input) {
  if (node.is("Resize")) return input == 2 || (node.inputs().size() == 2 && input == 1);
  return node.is("Upsample") && input == 1;
}

bool is_float_output(const Node& node, std::size_t output) {
  return output > 0 && node.is("LayerNormalization");  // its statistics, by its stash_type
}

bool is_float_constant(const Node& node) {
  if (!node.is("Constant")) return false;
  const auto t = constant_of(*node.output(0));
  const auto& uses = node.output(0)->uses();
  return (t && t->size() == 0) || std::any_of(uses.begin(), uses.end(), [](const Use& use) {
           return use.node && is_float_input(*use.node, use.index);
         });
}

bool wants_float(const Node& node) {
  static const std::set<std::string, std::less<>> kOps = {"QuantizeLinear",
                                                          "DequantizeLinear",
                                                          "DynamicQuantizeLinear",
                                                          "NonMaxSuppression",
                                                          "MelWeightMatrix",
                                                          "HannWindow",
                                                          "HammingWindow",
                                                          "BlackmanWindow",
                                                          "STFT",
                                                          "DFT",
                                                          "TfIdfVectorizer",
                                                          "Multinomial",
                                                          "RandomNormal",
                                                          "RandomUniform",
                                                          "RandomNormalLike",
                                                          "RandomUniformLike",
                                                          "Bernoulli",
                                                          "StringNormalizer",
                                                          "EyeLike",
                                                          "Celu",
                                                          "CumSum",
                                                          "RoiAlign",
                                                          "Upsample",
                                                          "Range"};
  return kOps.contains(node.op());
}

}  // namespace compressor::narrow

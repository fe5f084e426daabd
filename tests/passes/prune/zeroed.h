// zeroed: a model with weights set to zero, and what tests of that look at.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "passes/prune/small_nets.h"
#include "passes/prune/zeroing.h"

namespace compressor::prune::testing_nets {

inline PassContext pruned(Model& model, const ZeroingOptions& options) {
  PassContext context;
  context.seed = kSeed;
  prune_by_zeroing(model, options, context);
  model.verify();
  return context;
}

inline std::vector<std::string> reasons(const PassContext& context) {
  std::vector<std::string> texts;
  for (const LayerRecord& layer : context.result.layers) {
    if (layer.action == "skipped") texts.push_back(layer.detail);
  }
  return texts;
}

inline std::size_t zeros_of(const Tensor& tensor) {
  const std::vector<double> values = to_doubles(tensor);
  return static_cast<std::size_t>(std::count(values.begin(), values.end(), 0.0));
}

}  // namespace compressor::prune::testing_nets

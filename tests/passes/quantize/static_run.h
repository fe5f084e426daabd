// static_run: mode static on a net whose values all lie in known ranges.
#pragma once

#include "compressor/graph/model.h"
#include "passes/quantize/integer/static_qdq.h"

namespace compressor::quantize {

/// Every value of the graph in [-8, 8], results of Relu and of MaxPool behind it in [0, 8].
inline Ranges wide_ranges(const Model& model) {
  Ranges ranges;
  for (const Value* v : model.graph->values())
    ranges[v->name()] = v->producer() && (v->producer()->is("Relu") || v->producer()->is("MaxPool"))
                            ? ValueRange{0, 8}
                            : ValueRange{-8, 8};
  return ranges;
}

inline PassResult run_with(Model& model, const Target& target, const std::vector<std::string>& exclude = {}) {
  PassContext context;
  context.filter = NodeFilter({}, exclude);
  prepare_static(model, context);
  quantize_static(model, wide_ranges(model), {target, Clip::kMinMax}, context);
  model.verify();
  return std::move(context.result);
}

}  // namespace compressor::quantize

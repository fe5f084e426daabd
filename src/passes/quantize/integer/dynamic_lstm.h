// dynamic_lstm: recurrences whose inputs and states get their scales while the model runs.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "compressor/pass/pass.h"
#include "passes/quantize/integer/static_qdq.h"

namespace compressor::quantize {

/// Puts com.microsoft DynamicQuantizeLSTM in the place of LSTM nodes; a weight that several read is stored
/// once.
class DynamicLstm {
 public:
  DynamicLstm(Model& model, const StaticOptions& options) : model_(model), options_(options) {}
  /// Why the node stays in float; "" when it does not.
  std::string refusal(const Node& node) const;
  /// Returns a line for the report. The node is erased.
  std::string rewrite(Graph& graph, const Node& node);

 private:
  struct Stored {
    const Value *codes = nullptr, *scales = nullptr, *zeros = nullptr;
  };
  const Stored& stored(Graph& graph, const Value& weight);

  Model& model_;
  const StaticOptions& options_;
  std::map<std::pair<const Graph*, const Value*>, Stored> stored_;
};

}  // namespace compressor::quantize

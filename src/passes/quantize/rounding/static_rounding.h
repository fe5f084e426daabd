// static_rounding: int8 codes by what the layers of a model take in, within what a target's kernels can add.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "passes/quantize/rounding/measured_layers.h"

namespace compressor::quantize {

/// Rounds the weights of one prepared model, node by node in its order.
class StaticRounding {
 public:
  StaticRounding(const Model& model, Samples samples, const GptqOptions& options,
                 const MeasureOptions& measure);

  /// Sets grid.codes anew where the inputs of `node` can be measured; `codes` says what row r may use.
  /// Returns what the report says of it.
  std::string round(const Node& node, const Tensor& weight, const std::function<RowCodes(std::size_t)>& codes,
                    codec::Grid& grid);

 private:
  Model model_;  ///< as it was: the one that is rewritten loses nodes and weights on the way
  std::vector<prune::PrunableWeight> weights_;
  std::map<NodeId, const prune::PrunableWeight*> by_reader_;
  GptqOptions options_;
  std::optional<MeasuredLayers> layers_;
};

}  // namespace compressor::quantize

// measured_layers: what the layers of a model that is being quantized take in, stage by stage.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compressor/analysis/statistics.h"
#include "passes/prune/prunable.h"
#include "passes/quantize/rounding/layer_rounding.h"

namespace compressor::quantize {

struct MeasureOptions {
  int stages = 4;  ///< at most so many passes over the samples, unless memory asks for more
  std::uint64_t max_memory =
      0;  ///< bytes of second moments that are held at once; 0: as much as one gigabyte
};

/// A copy of the model that runs on samples. Inputs of later layers are measured with the weights of earlier
/// ones replaced by what became of them.
class MeasuredLayers {
 public:
  MeasuredLayers(const Model& model, const std::vector<const prune::PrunableWeight*>& weights,
                 Samples samples, const MeasureOptions& options);

  /// How the readers of the weight see it and what they take in, added up; nullopt, and why, where that is
  /// not known. To be asked in the order of the weights.
  struct Layer {
    LayerView view;
    const SecondMoment* moment = nullptr;
  };
  std::optional<Layer> of(const prune::PrunableWeight& weight, std::string& why);
  /// The weight is `value` from now on.
  void replace(const prune::PrunableWeight& weight, Tensor value);
  int passes() const { return passes_; }

 private:
  struct Wish {
    const prune::PrunableWeight* weight = nullptr;
    LayerView view;
    std::set<NodeId> readers;
    std::uint64_t bytes = 0;
  };
  void measure(const std::vector<Wish>& stage);
  const Value* twin_of(const prune::PrunableWeight& weight) const;

  Model model_;
  std::map<NodeId, const Node*> nodes_;  ///< of the copy, those in bodies too
  Samples samples_;
  std::vector<std::vector<Wish>> stages_;
  std::size_t next_ = 0;  ///< the first stage that is not measured yet
  std::map<const prune::PrunableWeight*, std::string> refused_;
  std::map<const prune::PrunableWeight*, Layer> layers_;  ///< of the stage at hand
  std::map<const prune::PrunableWeight*, SecondMoment> moments_;
  int passes_ = 0;
};

}  // namespace compressor::quantize

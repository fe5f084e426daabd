// budget: search the ratio that meets a target of MACs or parameters.
#pragma once

#include <functional>
#include <string>

#include "compressor/ops/facts.h"
#include "passes/prune/cut.h"

namespace compressor::prune {

/// Targets as the user wrote them: "12M", "1.5G", "800k", "100000", or "50%" of the original. Empty: no
/// target.
class Budget {
 public:
  /// Throws Error::usage for a target that is neither, or not below the original.
  Budget(const Model& model, const FactsMap& facts, const std::string& macs, const std::string& params);

  using Try = std::function<CutResult(double ratio)>;
  /// Bisects the ratio; returns the mildest cut that meets the targets. A try without a model is passed on.
  /// Throws Error::target when even the largest ratio does not meet them.
  CutResult search(const Try& attempt, const InferOptions& infer) const;

 private:
  bool meets(const Model& model, const InferOptions& infer) const;
  double max_macs_ = 0, max_params_ = 0;
  double macs_ = 0, params_ = 0;
};

}  // namespace compressor::prune

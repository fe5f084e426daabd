// simplify: the pass that rewrites a model into a smaller one that computes the same.
#pragma once

#include <cstdint>
#include <string>

#include "compressor/pass/pass.h"

namespace compressor {

/// Folds, merges and drops whatever can go without changing what the model computes (up to rounding, 1e-5
/// relative). Names and types of the graph's inputs and outputs stay, but for the shapes that the user gives.
/// A second run changes nothing.
class Simplify : public Pass {
 public:
  std::string name() const override { return "simplify"; }
  std::string summary() const override {
    return "fold, merge and drop what can go without changing the result";
  }
  bool keeps_outputs() const override { return true; }
  void run(Model& model, PassContext& context) override;

  Option<bool> keep_batchnorm{*this, "keep-batchnorm", false,
                              "leave batch normalisation as nodes of its own"};
  Option<bool> keep_constants{*this, "keep-constants", false, "leave Constant nodes where they are"};
  Option<bool> no_inline_functions{*this, "no-inline-functions", false,
                                   "leave calls of model-local functions"};
  Option<std::int64_t> max_constant_bytes{*this, "max-constant-bytes", std::int64_t{1} << 20U,
                                          "bytes that folding a constant out of next to nothing may add",
                                          Range::at_least(0)};
};

}  // namespace compressor

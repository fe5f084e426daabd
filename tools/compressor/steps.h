// steps: a model with state is given a row of inputs, one step after the other.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "compressor/analysis/state.h"
#include "feeds.h"

namespace compressor::cli {

/// What was given, split into steps: an input that has one axis more than the model declares holds a step at
/// each place of its first axis, the others are the same in all steps. State begins at what is given for it,
/// else at zero.
class Steps {
 public:
  /// Throws Error::usage where no input holds steps or they hold different numbers of them.
  Steps(const std::vector<State>& states, const Executor::Feeds& given, const Model& model);
  std::int64_t count() const { return count_; }
  Executor::Feeds at(std::int64_t step) const;

 private:
  std::vector<std::pair<std::string, Tensor>> stepped_;
  Executor::Feeds same_, first_;
  std::int64_t count_ = 0;
};

/// Tensors of one type and shape along a new first axis. Throws Error::usage that begins with `name` for
/// others.
Tensor one_after_the_other(const std::string& name, const std::vector<Tensor>& steps);

}  // namespace compressor::cli

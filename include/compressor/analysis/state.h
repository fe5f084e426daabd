// state: outputs of a model that are its inputs in the next step, as streaming recurrent networks have them.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compressor/engine/executor.h"

namespace compressor {

/// One part of a model's state.
struct State {
  const Value* input = nullptr;
  const Value* output = nullptr;
  Tensor first;  ///< zeros: the input before the first step
};

/// From pairs of names, output first. Throws Error::usage, with a suggestion, for a name that the model does
/// not have, for an input or output that stands twice, for two whose types or shapes differ, and for an input
/// whose shape is open past a batch of one (the first axis, one of its name, the middle one of three) where
/// `shapes` does not give it whole.
std::vector<State> find_states(const Model& model,
                               const std::vector<std::pair<std::string, std::string>>& names,
                               const std::map<std::string, std::vector<std::int64_t>>& shapes = {});

/// The output that may be the next value of `input`: of the same type and shape, and of those the one that is
/// called most alike; nullptr where there is none.
const Value* likely_state(const Model& model, const Value& input);

}  // namespace compressor

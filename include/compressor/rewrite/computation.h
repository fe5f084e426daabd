// computation: what a node does with its inputs, as text that is equal for equal work.
#pragma once

#include <optional>
#include <string>

#include "compressor/graph/model.h"

namespace compressor {

/// Operator and attributes of a node of ai.onnx, equal for nodes that make the same
/// of the same inputs. nullopt for what is not compared: other domains, attributes with bodies, types, sparse
/// tensors, strings in tensors, or references.
std::optional<std::string> computation_of(const Node& node);

}  // namespace compressor

// activation: which nodes are functions of one number that kernels know by name.
#pragma once

#include <optional>
#include <string_view>

#include "compressor/graph/model.h"
#include "compressor/kernels/activation.h"

namespace compressor::ops {

/// True for the operators of ai.onnx that activation_of() knows.
bool is_activation(std::string_view type);

/// What a node of ai.onnx computes of its input 0 by its attributes alone; nullopt for other operators.
std::optional<kernels::Activation> activation_of(const Node& node);
/// The same, and Clip by constant bounds.
std::optional<kernels::Activation> as_activation(const Model& model, const Node& node);

}  // namespace compressor::ops

// float_only: what stays float32 in a network of float16, operator by operator.
#pragma once

#include "compressor/graph/graph.h"

namespace compressor::narrow {

/// Operators of ai.onnx that float16 does not enter, or not at every opset.
bool wants_float(const Node& node);
/// Inputs and outputs that stay float32 whatever the node computes in.
bool is_float_input(const Node& node, std::size_t input);
bool is_float_output(const Node& node, std::size_t output);
/// A Constant node that some reader wants as float32, or that says by being empty that something is missing:
/// runtimes look for the constant itself there.
bool is_float_constant(const Node& node);

}  // namespace compressor::narrow

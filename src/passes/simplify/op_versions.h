// op versions: in which opsets of ai.onnx the meaning or the types of an operator changed.
#pragma once

#include <cstdint>
#include <string_view>

namespace compressor::simplify {

/// True when the operator is the same one in both opsets; false for an operator the list does not know.
bool same_operator(std::string_view op, std::int64_t opset_a, std::int64_t opset_b);

}  // namespace compressor::simplify

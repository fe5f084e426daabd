// targets: what the integer kernels of a runtime want of a quantized graph, one row a runtime.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compressor/tensor/dtype.h"
#include "passes/quantize/grid/affine.h"

namespace compressor::quantize {

struct Target {
  std::string name;
  std::string summary;
  DType activation = DType::kUint8;  ///< of 8 or 16 bits
  /// What activation may be besides; with 16 bits runtimes compute in float, or in kernels of their own.
  std::vector<DType> other_activations;
  bool symmetric_activations = false;
  DType weight = DType::kInt8;  ///< always symmetric
  /// Products of u8 and s8 are added in pairs of 16 bits that saturate (x86 without VNNI): scales are chosen
  /// so that no pair can.
  bool saturates = false;
  bool per_channel = true;
  bool integer_bias = true;       ///< int32 with the scale of input times weight; else the bias stays float
  bool pools_keep_scale = false;  ///< averaging pools have one scale for both sides
  bool float_logits = true;       ///< what a product gives to the outside is not rounded once more
  /// Operators with integer kernels that compute: products and convolutions.
  std::vector<std::string> compute;
  /// Operators that join or map values, each with scales of its own.
  std::vector<std::string> elementwise;
  /// Operators that only pass values on: input and output share a scale.
  std::vector<std::string> passing;
  /// Activation functions that a convolution or product takes in: nothing is rounded between the two.
  std::vector<std::string> fused;
  bool microsoft = false;       ///< knows the operators of com.microsoft
  bool reads_qdq_only = false;  ///< finds its integer kernels from QuantizeLinear and DequantizeLinear alone
  std::string exact_on;         ///< for the report: machines on which a file of this target is exact
};

/// The codes of an activation.
CodeRange activation_codes(const Target& target);
/// The target with another type of activations, by its rules: int16 has its zero point at 0, and 16 bits have
/// no products that saturate. Throws Error::usage for a type that the target does not take.
Target with_activation(Target target, DType type);

/// Throws Error::usage for another name.
const Target& target_of(std::string_view name);
std::vector<std::string> target_names();

}  // namespace compressor::quantize

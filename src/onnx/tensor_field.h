// tensor_field: which typed field of a TensorProto holds the elements of a type, and how.
#pragma once

#include <cstdint>
#include <string_view>

#include "compressor/tensor/dtype.h"

namespace compressor::wire {

struct TensorField {
  std::uint32_t number = 0;  ///< 0 when there is none
  bool varint = false;       ///< numbers are varints; otherwise the bytes are those of raw_data
  unsigned width = 0;        ///< bytes of raw_data that one number of the field stands for
  bool is_signed = false;    ///< how the number is extended to 64 bits
};

/// Types below eight bits go by packed bytes, half floats by their bits, as ONNX's reference does.
constexpr TensorField tensor_field(DType type) {
  switch (type) {
    case DType::kFloat:
    case DType::kComplex64:
      return {4, false, 4, false};
    case DType::kDouble:
    case DType::kComplex128:
      return {10, false, 8, false};
    case DType::kInt32:
      return {5, true, 4, true};
    case DType::kInt16:
      return {5, true, 2, true};
    case DType::kInt8:
      return {5, true, 1, true};
    case DType::kUint16:
    case DType::kFloat16:
    case DType::kBFloat16:
      return {5, true, 2, false};
    case DType::kInt64:
      return {7, true, 8, true};
    case DType::kUint32:
      return {11, true, 4, false};
    case DType::kUint64:
      return {11, true, 8, false};
    case DType::kUndefined:
    case DType::kString:
      return {};
    default:
      return {5, true, 1, false};
  }
}

constexpr std::string_view field_name(std::uint32_t number) {
  switch (number) {
    case 4:
      return "float_data";
    case 5:
      return "int32_data";
    case 7:
      return "int64_data";
    case 10:
      return "double_data";
    case 11:
      return "uint64_data";
    default:
      return "nothing";
  }
}

}  // namespace compressor::wire

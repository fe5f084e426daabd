// dtype: the element types of ONNX tensors up to opset 23, with their sizes and names.
#pragma once

#include <cstdint>
#include <string_view>

namespace compressor {

/// Values are those of ONNX's TensorProto.DataType.
enum class DType : std::int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBFloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
};

/// True for every value above but kUndefined; a file may hold any number.
bool is_known(DType type);
/// ONNX's name in lower case: "float32", "int4", "float8e4m3fn"; "undefined" or "type<N>" when unknown.
std::string_view name(DType type);
/// The type of that name ("float" and "float32" alike); kUndefined when there is none.
DType dtype_of(std::string_view name);
/// Bits of one element: 32 for float, 4 for int4; 0 for strings and unknown types.
int bits(DType type);
/// float, double, float16, bfloat16, float8*, float4.
bool is_float(DType type);
/// Signed and unsigned integers of any width; not bool.
bool is_integer(DType type);
/// Bytes of `count` elements as ONNX packs them (sub-byte types: low bits first, last byte padded).
/// Throws Error::model when that is not a 63-bit number.
std::uint64_t packed_bytes(DType type, std::uint64_t count);

}  // namespace compressor

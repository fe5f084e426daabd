// tensor: an element type, a shape and immutable bytes; and reading and making them as numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compressor/tensor/bytes.h"
#include "compressor/tensor/dtype.h"

namespace compressor {

using Dims = std::vector<std::int64_t>;

/// Product of the dimensions (1 for a scalar). Throws Error::model for a negative one or a product past 63
/// bits.
std::uint64_t num_elements(const Dims& dims);
/// "2x3x4"; "scalar" for rank 0.
std::string to_string(const Dims& dims);

/// What a tensor in a file carries besides numbers; saved as it was loaded.
struct TensorNotes {
  std::string doc;
  std::vector<std::pair<std::string, std::string>>
      external_extra;   ///< external_data keys other than location, offset, length
  std::string unknown;  ///< serialized fields that this version of the format does not name
};

/// An immutable constant. Copying copies handles.
struct Tensor {
  /// Which field of the file held the numbers; the same one is used when saving.
  enum class Field : std::uint8_t { kRaw, kTyped };

  DType dtype = DType::kUndefined;
  Dims shape;
  /// Packed little-endian elements as in ONNX's raw_data, whatever the field; empty for strings.
  Bytes bytes;
  /// The elements when dtype is kString; null otherwise.
  std::shared_ptr<const std::vector<std::string>> strings;
  Field field = Field::kRaw;
  std::string name;  ///< TensorProto.name where it is not that of an initializer (attributes)
  std::shared_ptr<const TensorNotes> notes;  ///< may be null

  std::uint64_t size() const { return num_elements(shape); }
  std::int64_t rank() const { return static_cast<std::int64_t>(shape.size()); }
  /// Bytes of the payload as stored raw.
  std::uint64_t byte_size() const;

  /// A new tensor from numbers; the shape must have values.size() elements.
  static Tensor of(const Dims& shape, std::span<const float> values);
  static Tensor of(const Dims& shape, std::span<const std::int64_t> values);
  /// Numbers stored as `dtype` (rounded to nearest even and clamped where they do not fit; float8, int4..
  /// included).
  static Tensor of(DType dtype, const Dims& shape, std::span<const double> values);
  /// A scalar (rank 0).
  static Tensor scalar(std::int64_t value) { return of({}, std::span<const std::int64_t>(&value, 1)); }
  static Tensor scalar(float value) { return of({}, std::span<const float>(&value, 1)); }
  /// The same numbers with another shape of the same size and the same dtype, field and notes.
  Tensor reshaped(Dims new_shape) const;
};

/// All elements as numbers, whatever the (numeric) type. Throws Error::model for strings, complex and unknown
/// types, and when the payload does not have the size that the shape asks for.
std::vector<float> to_floats(const Tensor& tensor);
std::vector<double> to_doubles(const Tensor& tensor);
/// Integers and bool as they are, floats truncated.
std::vector<std::int64_t> to_ints(const Tensor& tensor);
/// Elements [first, first + out.size()) as float: for payloads that are too large to hold twice.
void read_floats(const Tensor& tensor, std::uint64_t first, std::span<float> out);

/// Single values between float and the narrow formats (round to nearest even).
std::uint16_t float_to_half(float value);
float half_to_float(std::uint16_t code);
std::uint16_t float_to_bfloat16(float value);
float bfloat16_to_float(std::uint16_t code);

/// Same type, shape and payload, bit for bit (field and notes do not count).
bool equal(const Tensor& a, const Tensor& b);

}  // namespace compressor

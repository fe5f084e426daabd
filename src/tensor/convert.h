// convert: between packed elements of any numeric type and doubles.
#pragma once

#include <cstddef>
#include <span>

#include "compressor/tensor/dtype.h"

namespace compressor {

/// Decodes elements [first, first + out.size()) of a packed payload. Throws Error::model for non-numeric
/// types.
void decode(DType type, std::span<const std::byte> packed, std::uint64_t first, std::span<double> out);
/// Encodes all values; `packed` has packed_bytes(type, values.size()) bytes. Rounds to nearest even,
/// saturates.
void encode(DType type, std::span<const double> values, std::span<std::byte> packed);

}  // namespace compressor

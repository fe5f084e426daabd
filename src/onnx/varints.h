// varints: int32_data, int64_data and uint64_data seen as packed elements, decoded where they are read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "compressor/tensor/bytes.h"
#include "compressor/tensor/dtype.h"

namespace compressor {

/// Bytes whose elements of `width` bytes are the varints in `wire`, cut to that width. Throws Error::model,
/// its message beginning with `where`, when there are not `count` of them. Holds an index, not the elements.
Bytes decode_varints(Bytes wire, unsigned width, std::uint64_t count, const std::string& where);

/// The varints that `bytes` were made from by decode_varints, if they are all of them and nothing else.
std::optional<Bytes> encoded_varints(const Bytes& bytes);

/// The elements of a payload of `width` bytes each as packed varints, sign-extended where `is_signed`.
std::string encode_varints(const Bytes& bytes, unsigned width, bool is_signed);

}  // namespace compressor

// npy: the header and the data of numpy's array format, wherever they lie.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "compressor/tensor/tensor.h"

namespace compressor::data {

struct NpyHeader {
  DType dtype = DType::kUndefined;
  std::uint64_t item_size = 0;  ///< bytes of an element in the file
  bool big_endian = false;
  bool fortran = false;
  bool wide_text = false;  ///< strings of 4-byte characters
  Dims shape;
  std::uint64_t data_offset = 0;  ///< bytes of magic and header
  std::uint64_t data_size = 0;
};

/// How many bytes parse_npy_header needs, at most: of a longer header it says so.
inline constexpr std::uint64_t kNpyHeaderLimit = 65536 + 12;

/// From the first bytes of a file. Throws Error::io that begins with `name`.
NpyHeader parse_npy_header(std::span<const std::byte> begin, const std::string& name);
/// The array from exactly header.data_size bytes.
Tensor npy_tensor(const NpyHeader& header, const Bytes& data, const std::string& name);

/// Magic and header, padded so that the data begins at a multiple of 64.
std::string npy_header(const Dims& shape, const std::string& descr);
/// The tensor as numpy can hold it, with numpy's word for the type; strings become a block of characters.
struct NpyArray {
  Tensor tensor;  ///< bytes to write; dtype and shape of elements
  std::string header;
};
NpyArray npy_array(const Tensor& tensor);

}  // namespace compressor::data

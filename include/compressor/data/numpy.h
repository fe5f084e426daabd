// numpy: arrays in .npy files and in .npz archives, read and written.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compressor/tensor/tensor.h"

namespace compressor {

/// One array. Row-major little-endian data of at least 1 MiB stays in the mapped file; all else is converted.
/// Understands bool, signed and unsigned integers, float16/32/64, complex and fixed-length strings (as
/// kString), in either byte and axis order. Throws Error::io for damaged files, pickled objects and
/// structured types.
Tensor read_npy(const std::string& path);
/// All arrays of an archive by name without ".npy", stored or deflated. An entry that claims more than
/// deflate can make of its bytes, or more than its own header needs, is an error before it is unpacked.
std::map<std::string, Tensor> read_npz(const std::string& path);

/// Writes a file that appears complete or not at all; an existing one is replaced. Types that numpy does not
/// have are widened: bfloat16 and float8 to float32, 4- and 2-bit integers to int8/uint8.
void write_npy(const std::string& path, const Tensor& tensor);
/// In the given order; names may hold any character but NUL. `deflate` trades time for size. Throws
/// Error::usage for a name that is given twice.
void write_npz(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& arrays,
               bool deflate = false);

}  // namespace compressor

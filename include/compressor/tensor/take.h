// take: the sub-tensor that keeps some indices of some axes, computed while it is read.
#pragma once

#include <map>
#include <vector>

#include "compressor/tensor/tensor.h"

namespace compressor {

/// The tensor with, for every axis in `kept`, only the given indices (ascending or not, each in range); other
/// axes whole. No bytes are copied until the result is read; then memory is a few MB whatever the size.
/// Throws Error::model for strings and unknown types.
Tensor take(const Tensor& tensor, const std::map<std::int64_t, std::vector<std::int64_t>>& kept);

}  // namespace compressor

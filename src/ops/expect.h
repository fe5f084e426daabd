// expect: what shape rules demand of their inputs, with messages that say what was found and expected.
#pragma once

#include <string_view>

#include "compressor/ops/op.h"

namespace compressor::ops {

/// Fails when the rank of `facts` is known and outside [least, most]; most < 0: no upper end.
void expect_rank(const InferContext& ctx, const Facts& facts, std::string_view what, std::int64_t least,
                 std::int64_t most = -1);
/// The better known of two dimensions that must be equal; fails when they are different numbers. Of two
/// different symbols the first is kept.
SymDim agree(const InferContext& ctx, const SymDim& a, const SymDim& b, std::string_view what);
/// Fails when input i is there, its rank is known, and it is not 1-D of length n.
void expect_vector(const InferContext& ctx, std::size_t i, const SymDim& n, std::string_view what);
/// Output i is as input `from`, type and shape.
void same_as(InferContext& ctx, std::size_t i, std::size_t from);
/// The dtype that the integer attribute names, or `otherwise` when it is absent.
DType dtype_attribute(const Node& node, std::string_view name, DType otherwise);

}  // namespace compressor::ops

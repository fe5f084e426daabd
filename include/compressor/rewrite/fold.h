// fold: parts of a graph that only depend on constants become constants.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compressor/rewrite/rewriter.h"

namespace compressor {

struct FoldOptions {
  /// What is made from next to nothing (ConstantOfShape, Range, Tile..) may add this many bytes to the file.
  std::uint64_t max_growth = std::uint64_t{1} << 20U;
  /// Weights that are only transposed, cast or passed on stay as the file has them.
  bool keep_views = false;
  /// Operators of ai.onnx that are never computed here.
  std::vector<std::string> keep;
};

/// Computes connected groups of nodes that only read constants and puts the results in their place. A group
/// that reads weights is folded only where the file does not grow by it: a stored weight is not decoded, a
/// shared one is not copied. Constants that a caller may replace are not constant. Returns the number of
/// values that became constants.
std::int64_t fold_constants(Rewriter& rewriter, const FoldOptions& options = {});

/// Folds what stands between an initializer and the operator that uses it as a weight (weight
/// standardisation, Transpose, Cast, Reshape) and nothing else; ConstantOfShape, Range, Expand and Tile stay.
/// For passes that want to see weights as initializers. Returns whether anything changed.
bool fold_weight_constants(Model& model, const FoldOptions& options = {});

/// Values whose integer contents the facts know (the Shape of a static tensor and what is computed from it)
/// become constants. Returns how many.
std::int64_t fold_known_contents(Rewriter& rewriter);

}  // namespace compressor

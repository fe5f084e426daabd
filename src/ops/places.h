// places: the elements of a tensor that other operators' indices name.
#pragma once

#include "ops/movement.h"

namespace compressor::ops {

/// Slices that tuples of indices name, as GatherND and ScatterND have them: x [batch.., d.., slice..],
/// indices [batch.., count.., d].
struct NamedSlices {
  Ints offsets;            ///< of each slice in x, in elements
  std::int64_t slice = 1;  ///< elements of each
};
/// Indices count from the end where they are negative; throws Error::model for one that is outside of x.
NamedSlices named_slices(const Node& node, const Dims& x, const Tensor& indices, std::int64_t batch = 0);

/// Single elements, as GatherElements and ScatterElements have them: the offset in x that belongs to each of
/// the indices, which have x's rank and stand in for the position along the node's axis.
Ints named_elements(const Node& node, const Dims& x, const Tensor& indices);

}  // namespace compressor::ops

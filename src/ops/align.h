// align: which axes of a reshaped tensor are which, and how lists of channels follow.
#pragma once

#include <optional>
#include <vector>

#include "compressor/ops/channels.h"

namespace compressor::ops {

/// One factor of an old axis that is one factor of a new axis. Old axis 6 that becomes new axes 2 and 3 is
/// two pieces; old axes 2 and 3 that become 6 are two pieces as well. Pieces of length 1 are left out.
struct AxisPiece {
  std::int64_t old_axis = 0;
  std::int64_t new_axis = 0;
  SymDim length;
};

/// Axes [old_from, old_to) hold the same elements as axes [new_from, new_to).
struct AxisGroup {
  std::int64_t old_from = 0, old_to = 0, new_from = 0, new_to = 0;
  /// Row-major; nullopt when the lengths have no common factors that would divide them (4x6 to 3x8).
  std::optional<std::vector<AxisPiece>> pieces;
};

/// Cuts both shapes where their products agree, from the left and from the right, and refines what is
/// between.
std::vector<AxisGroup> align_axes(const SymDims& old_dims, const SymDims& new_dims);

/// The channel rule of Reshape and its kin: input 0 reshaped to output 0.
void channels_reshape(ChannelContext& ctx);

}  // namespace compressor::ops

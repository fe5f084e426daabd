// padding: what Pad is told: amounts by axis, and where a new position's element comes from.
#pragma once

#include <optional>
#include <string>

#include "compressor/ops/op.h"
#include "ops/movement.h"

namespace compressor::ops {

struct PadAmounts {
  Ints before, after;  ///< per axis
};

/// From the flat list (all begins, then all ends) of the axes that are named.
PadAmounts pad_amounts(const Node& node, const Ints& pads, const std::optional<Ints>& named,
                       std::int64_t rank);

/// constant, reflect, edge or wrap.
std::string pad_mode(const Node& node);

/// Where output position i of an axis of n comes from; -1 for the constant.
std::int64_t pad_source(std::int64_t i, std::int64_t n, const std::string& mode);

}  // namespace compressor::ops

// vanish: does a value hold zero where the channels that make it are zero at their producers?
#pragma once

#include "compressor/graph/graph.h"

namespace compressor::ops {

/// True when every operator between the value and the weights that make its channels keeps zero zero, so that
/// a sum over channels does not notice a removed one. False when that cannot be told.
bool vanishes_with_its_channels(const Value& value);

}  // namespace compressor::ops

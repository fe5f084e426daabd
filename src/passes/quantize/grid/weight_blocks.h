// weight_blocks: which elements of a weight share a scale.
#pragma once

#include <cstdint>
#include <string>

#include "compressor/codec/storage.h"
#include "passes/prune/prunable.h"

namespace compressor::quantize {

enum class Granularity : std::uint8_t { kTensor, kChannel, kGroup };

/// Blocks of `weight` for its layout:
///   tensor     one
///   channel    one for every output channel (every row of an embedding)
///   group      `group` inputs of an output channel; where the storage cannot hold a short last group, the
///              nearest size that divides the inputs
/// A weight whose layout is not known is cut along its first axis.
codec::Blocks blocks_of(const prune::PrunableWeight& weight, Granularity granularity, std::uint64_t group,
                        codec::Storage storage);

/// A size that divides `length`: the largest in [wanted / 2, wanted], else the smallest above.
std::uint64_t dividing_group(std::uint64_t length, std::uint64_t wanted);

}  // namespace compressor::quantize

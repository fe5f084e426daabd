// normal_feeds: seeded inputs for a test's network, as passes ask for them.
#pragma once

#include <cstdint>
#include <vector>

#include "compressor/analysis/statistics.h"
#include "compressor/engine/executor.h"

namespace compressor::quantize {

/// Normal numbers for the network's first input, `count` times; axes of unknown length are 2.
std::vector<Executor::Feeds> normal_feeds(const Model& model, std::size_t count, std::uint64_t seed);

/// The list must outlive what is returned.
Samples samples_of(const std::vector<Executor::Feeds>& list);

}  // namespace compressor::quantize

// prepare: one sample made ready for its batch, and samples laid side by side.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compressor/data/loader.h"

namespace compressor::data {

/// A sample as a batch takes it.
struct Prepared {
  std::map<std::string, Tensor> inputs;
  BatchItem item;
};

/// Reads sample `index`, fits, changes and converts it; all that is random depends on seed, epoch and index
/// alone.
Prepared prepare(const Dataset& data, std::int64_t index, const Preprocess& preprocess,
                 const LoaderOptions& options, std::int64_t epoch);

/// [N, ...] of each input, up to `count` by copies of the last. The samples' shapes are the same; throws
/// Error::usage that names two samples when their inputs are not.
Batch side_by_side(std::vector<Prepared> samples, std::int64_t count, bool has_batch_axis);

/// A number that is random in all three.
std::uint64_t mixed(std::uint64_t seed, std::int64_t epoch, std::int64_t index);

}  // namespace compressor::data

// kept_channels: from the indices that weights kept to those of the values that are computed with them.
#pragma once

#include "compressor/analysis/compare.h"

namespace compressor {

using KeptAxes = std::map<std::int64_t, std::vector<std::int64_t>>;

/// For every value whose channels were cut: axis to kept indices. Throws Error::usage where `weights` are not
/// those of the model.
std::map<const Value*, KeptAxes> kept_channels(const Model& model, const KeptIndices& weights);

}  // namespace compressor

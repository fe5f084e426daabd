// kept_channels: from the indices that weights kept to those of the values that are computed with them.
#pragma once

#include "compressor/analysis/compare.h"

namespace compressor {

using KeptAxes = std::map<std::int64_t, std::vector<std::int64_t>>;

/// For every value of the main graph whose channels were cut: axis to kept indices. A layer's come from its
/// weight; other operators pass on what their first cut input has. What that gives is to be checked against
/// the shapes that are seen.
std::map<const Value*, KeptAxes> kept_channels(const Graph& graph, const KeptIndices& weights);

}  // namespace compressor

// untie: vectors that unrelated layers happen to share get a copy for each, so that sharing ties no channels.
#pragma once

#include <cstdint>

#include "compressor/graph/model.h"

namespace compressor::prune {

/// Exporters and optimisers store equal biases and norm parameters once. A constant of rank 1 that several
/// nodes read (through Identity too) is copied for all but the first of them; matrices that are shared stay
/// shared, since that is meant. Returns the number of copies.
std::int64_t untie_vectors(Model& model);

}  // namespace compressor::prune

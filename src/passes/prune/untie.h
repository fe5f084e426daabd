// untie: vectors that unrelated layers happen to share get a copy for each, so that sharing ties no channels.
#pragma once

#include <string>
#include <vector>

#include "compressor/graph/model.h"
#include "compressor/pass/pass.h"

namespace compressor::prune {

/// A vector that was copied: names of the copy and of what it is a copy of.
struct VectorCopy {
  std::string copy, original;
};

/// Exporters and optimisers store equal biases and norm parameters once. A constant of rank 1 that several
/// nodes read (through Identity too) is copied for all but the first of them; matrices that are shared stay
/// shared, since that is meant.
std::vector<VectorCopy> untie_vectors(Model& model);

/// After the cut: a copy that lost the same positions as its original gives way to it again, in the model and
/// in the list of what was removed.
void retie_vectors(Model& model, const std::vector<VectorCopy>& copies, std::vector<Removed>& removed);

}  // namespace compressor::prune

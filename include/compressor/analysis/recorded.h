// recorded: a model's inputs written down for another runtime, and that runtime's outputs measured as ours
// are.
#pragma once

#include <string>

#include "compressor/analysis/evaluate.h"

namespace compressor {

/// Also writes what goes in to folder/batch_00000.npz, batch_00001.npz, ..., arrays by the inputs' names. The
/// folder is made; files of these names in it are replaced. Throws Error::io.
Runner recording(Runner run, const std::string& folder);

/// Runs nothing: gives the arrays of folder/batch_00000.npz, ... by the names of the model's outputs, in
/// their order. Throws Error::io for a missing file, Error::usage for one that lacks an output.
Runner replaying(const Model& model, const std::string& folder);

}  // namespace compressor

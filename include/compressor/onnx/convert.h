// convert: another storage of the same model.
#pragma once

#include <cstddef>
#include <string>

#include "compressor/onnx/load.h"
#include "compressor/onnx/save.h"

namespace compressor {

struct ConvertOptions {
  SaveOptions save;                        ///< single file or side file, docs
  bool constants_to_initializers = false;  ///< what Constant nodes hold becomes initializers
};

struct ConvertResult {
  LoadInfo loaded;
  SaveResult saved;
  std::size_t constants = 0;  ///< Constant nodes turned into initializers
};

/// Loads, and saves as the options say; nothing else changes. Throws what load_model and save_model throw.
ConvertResult convert_file(const std::string& input, const std::string& output,
                           const ConvertOptions& options = {});

/// y = Constant(value)  ==>  initializer y, in the main graph and in bodies; returns how many. Left alone are
/// outputs of a graph, functions (they have no initializers), and bodies of models before IR version 4 (their
/// initializers would have to be inputs).
std::size_t constants_to_initializers(Model& model);

}  // namespace compressor

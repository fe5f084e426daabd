// data_yaml: what a `data.yaml` beside the data says of it.
#pragma once

#include <optional>
#include <string>

#include "compressor/data/dataset.h"

namespace compressor::data {

/// `options`, and for what they leave open the data.yaml in the folder `path` or in the folder of the file
/// `path`. Throws Error::usage "DIR/data.yaml: ..." for unknown keys (with a suggestion) and malformed
/// values.
OpenOptions with_data_yaml(OpenOptions options, const std::string& path);

}  // namespace compressor::data

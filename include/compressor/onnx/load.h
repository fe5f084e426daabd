// load: an ONNX file as a Model whose weights stay in the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compressor/graph/model.h"

namespace compressor {

/// A file beside the model that holds weights.
struct ExternalFile {
  std::string location;  ///< as the model names it, relative to the model's folder
  std::string path;
  std::uint64_t bytes = 0;
};

/// What loading found out beside the model.
struct LoadInfo {
  std::string path;
  std::uint64_t file_bytes = 0;        ///< of the .onnx file
  std::vector<ExternalFile> external;  ///< in order of first use
  std::vector<std::string> warnings;   ///< oddities that were repaired or are carried along
  std::uint64_t total_bytes() const;   ///< with the external files
  /// XXH3-128 of the file, followed by the external files in order. Reads them all.
  std::string hash() const;
};

struct LoadOptions {
  LoadInfo* info = nullptr;  ///< filled when given
};

/// Reads the structure and maps the weights; the file must stay as it is while the model or a clone of it
/// lives. Throws Error::io when the file cannot be read, Error::model when it is not a sound ONNX model:
/// damaged, without a graph, with payloads that disagree with their shapes, unknown or duplicate names,
/// cycles, external data outside the model's folder, or nested too deeply.
Model load_model(const std::string& path, const LoadOptions& options = {});

/// A file with one TensorProto (the input_0.pb of ONNX's test data). Throws as load_model does.
Tensor load_tensor_pb(const std::string& path);

/// A tensor, a list of values, or (kNone) an optional value that is not there.
struct StoredValue {
  Type::Kind kind = Type::Kind::kNone;
  Tensor tensor;
  std::vector<StoredValue> elements;
};
/// A file with one TensorProto, SequenceProto or OptionalProto: which, `type` says. Throws as load_model
/// does.
StoredValue load_value_pb(const std::string& path, const Type& type);

}  // namespace compressor

// save: a Model as an ONNX file, streamed; large models with their weights in a side file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compressor/graph/model.h"

namespace compressor {

struct SaveOptions {
  bool external = false;    ///< weights of 1 KiB and more go to a side file
  bool strip_docs = false;  ///< doc strings of everything are left out
  bool hash = false;        ///< fill SaveResult::hash, at the cost of hashing what is written
  /// A single file may be as large as this before weights go to a side file all the same. Protobuf's own
  /// limit.
  std::uint64_t single_file_limit = INT32_MAX;
};

struct SaveResult {
  std::uint64_t file_bytes = 0;  ///< of the .onnx file
  std::string side_path;         ///< "" when there is no side file
  std::uint64_t side_bytes = 0;
  std::string hash;  ///< as LoadInfo::hash gives for the result
  /// Side files of earlier results under the same name, which nothing written here needs.
  std::vector<std::string> stale_side_files;
  std::uint64_t total_bytes() const { return file_bytes + side_bytes; }
};

/// Writes the model to `path`, whole or not at all. A side file is `<stem>.<hash of its content>.data` beside
/// it. Payloads are read piece by piece while writing. Throws Error::io when the file cannot be written, or
/// when it is one of the files that the model's weights are still in ("same file", also through a link).
SaveResult save_model(const Model& model, const std::string& path, const SaveOptions& options = {});

/// The bytes that save_model would write into a single file, without writing.
std::uint64_t saved_bytes(const Model& model);

}  // namespace compressor

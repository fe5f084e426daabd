// files: the model that comes in, and whether what goes out may be written where it is asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compressor/graph/model.h"
#include "compressor/onnx/load.h"
#include "compressor/report/model.h"

namespace compressor::cli {

struct Input {
  LoadInfo info;
  Model model;
};

Input open_model(const std::string& path);
StoredFiles stored_files(const LoadInfo& info);

/// "dir/net.onnx", "prune" -> "dir/net.prune.onnx".
std::string default_output(const std::string& input, const std::string& command);
/// Throws Error::usage when both names lead to one file, also through links; also when neither exists yet.
void check_different(const std::string& input, const std::string& output);
/// A model that is to be written: throws Error::io when it cannot be, or when a file is there that does not
/// carry our metadata and `force` is not set.
void check_model_output(const std::string& path, bool force);
/// The same for a report or table: a file is ours when its first line names us.
void check_text_output(const std::string& path, bool force);
/// Writes the text, whole or not at all.
void write_text(const std::string& path, const std::string& text);
/// ".json" of "a/b.JSON" in lower case; "" when there is none.
std::string extension_of(const std::string& path);

}  // namespace compressor::cli

// files: names, links and marks.
#include "files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "compressor/base/atomic_file.h"
#include "compressor/base/error.h"
#include "compressor/pipeline/run.h"

namespace compressor::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kHead = 256;  // our name stands within so many bytes of a text of ours

bool exists(const std::string& path) {
  std::error_code none;
  return fs::exists(fs::symlink_status(path, none));
}

fs::path resolved(const std::string& path) {
  std::error_code error;
  fs::path p = fs::weakly_canonical(fs::absolute(path, error), error);
  return error ? fs::path(path).lexically_normal() : p;
}

[[noreturn]] void refuse(const std::string& path) {
  throw Error::io("{}: exists and was not written by compressor; give --force to replace it", path);
}

}  // namespace

Input open_model(const std::string& path) {
  Input input;
  input.model = load_model(path, {.info = &input.info});
  return input;
}

StoredFiles stored_files(const LoadInfo& info) {
  StoredFiles files{.path = info.path, .bytes = info.file_bytes, .external = {}};
  for (const ExternalFile& file : info.external) files.external.emplace_back(file.location, file.bytes);
  return files;
}

std::string default_output(const std::string& input, const std::string& command) {
  const fs::path path(input);
  const std::string stem = extension_of(input) == ".onnx" ? path.stem().string() : path.filename().string();
  return (path.parent_path() / (stem + "." + command + ".onnx")).string();
}

void check_different(const std::string& input, const std::string& output) {
  std::error_code none;
  if (resolved(input) == resolved(output) || fs::equivalent(input, output, none)) {
    throw Error::usage("{}: is the input itself ('{}'); an output must be another file", output, input);
  }
}

void check_model_output(const std::string& path, bool force) {
  check_writable(path);
  if (force || !exists(path)) return;
  bool ours = false;
  try {
    ours = is_marked(load_model(path));
  } catch (const Error&) {
    refuse(path);
  }
  if (!ours) refuse(path);
}

void check_text_output(const std::string& path, bool force) {
  check_writable(path);
  if (force || !exists(path)) return;
  std::string head(kHead, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  if (!head.empty() && head.find("compressor") == std::string::npos) refuse(path);
}

void write_text(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

std::string extension_of(const std::string& path) {
  std::string extension = fs::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return extension;
}

}  // namespace compressor::cli

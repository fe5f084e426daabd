// place: what lies at a path, looked at once for all formats that may claim it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "compressor/data/dataset.h"

namespace compressor::data {

class Place {
 public:
  /// Throws Error::io when nothing is there or it cannot be listed.
  explicit Place(const std::string& path);

  const std::string& path() const { return path_; }
  bool is_folder() const { return folder_; }
  /// The folder itself, or the one that the file is in.
  std::string folder() const;
  /// Names in the folder, sorted byte by byte, hidden ones left out; empty for a file.
  const std::vector<std::string>& files() const { return files_; }
  const std::vector<std::string>& folders() const { return folders_; }
  bool has_folder(const std::string& name) const;
  bool has_file(const std::string& name) const;
  /// path/name
  std::string in(const std::string& name) const;
  /// The first 4 KiB of a file, unpacked when it is gzip; "" for a folder.
  const std::string& begin() const { return begin_; }
  bool gzipped() const { return gzipped_; }
  /// Of a file in the folder or the file itself: "png", lower case.
  static std::string extension(const std::string& name);

 private:
  std::string path_;
  bool folder_ = false, gzipped_ = false;
  std::vector<std::string> files_, folders_;
  std::string begin_;
};

/// "train", "test" or "val" when a word of the name says so (t10k-images, cifar_test, validation); else "".
std::string split_of(const std::string& name);
/// The split that `options` ask for among those that are there. Throws Error::usage when it is not; "" when
/// there are none and none is asked for.
std::string choose_split(const std::vector<std::string>& there, const OpenOptions& options,
                         const std::string& path);

}  // namespace compressor::data

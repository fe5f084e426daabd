// listing: the files of a folder and their classes: a class a subfolder, a file of labels, or none.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/place.h"

namespace compressor::data {

struct ListedFile {
  std::string path;
  std::optional<std::int64_t> label;
  std::optional<std::string> text;
};

struct Listing {
  std::vector<ListedFile> files;
  std::vector<std::string> classes;
  std::string split;
  std::string how;  ///< "a class a folder", "labels.txt", "without labels"
};

using Wanted = std::function<bool(const std::string& name)>;

/// True when the folder or one at most `levels` below it holds a wanted file: no format is looked for in a
/// whole disk.
bool lists_any(const Place& folder, const Wanted& wanted, int levels = 3);
/// Subfolders called train, test, val are splits. Lines of a labels file are `name class` or `name,class` (a
/// number or a class's name) or `name<TAB>text`. Subfolders whose names are all numbers are these classes.
/// Throws Error::io that names file and line.
Listing list_files(const Place& folder, const Wanted& wanted, const OpenOptions& options);

}  // namespace compressor::data

// tree: the project's own files, read as text.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace compressor::house {

struct File {
  std::string path;  ///< from the root of the source tree: "src/graph/graph.cpp"
  std::vector<std::string> lines;
  bool in(const std::string& folder) const { return path.rfind(folder + "/", 0) == 0; }
  bool ends_with(const std::string& end) const;
};

/// An #include: the line's number from 1, the path in it, and whether it is in angle brackets.
struct Include {
  std::size_t line;
  std::string path;
  bool angled;
};

/// Root of the source tree.
std::string root();
/// All files of the source tree but build folders, hidden folders and binary files; sorted by path.
const std::vector<File>& tree();
/// The .h and .cpp files among them.
std::vector<File> sources();
/// The parts of a path: "src/graph/graph.cpp" -> src, graph, graph.cpp.
std::vector<std::string> parts(const std::string& path);
std::vector<Include> includes(const File& file);

}  // namespace compressor::house

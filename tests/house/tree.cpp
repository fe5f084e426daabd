// tree: walks the source tree once.
#include "house/tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>

namespace compressor::house {
namespace {

namespace fs = std::filesystem;

bool is_text(const std::string& path) {
  static const std::vector<std::string> kEnds = {".cpp", ".h",  ".txt",  ".cmake", ".md",
                                                 ".py",  ".sh", ".json", ".tsv",   ".yaml"};
  const std::string name = fs::path(path).filename().string();
  if (name.find('.') == std::string::npos) return true;  // scripts, LICENSE
  return std::any_of(kEnds.begin(), kEnds.end(), [&](const std::string& end) {
    return name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
  });
}

std::vector<File> read_tree() {
  std::vector<File> files;
  for (auto it = fs::recursive_directory_iterator(root()); it != fs::recursive_directory_iterator(); ++it) {
    const std::string name = it->path().filename().string();
    if (it->is_directory() && (name == "build" || name == "__pycache__" || name[0] == '.')) {
      it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file() || name[0] == '.' || !is_text(name)) continue;
    File file{fs::relative(it->path(), root()).string(), {}};
    std::ifstream in(it->path());
    for (std::string line; std::getline(in, line);) file.lines.push_back(line);
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.path < b.path; });
  return files;
}

}  // namespace

bool File::ends_with(const std::string& end) const {
  return path.size() >= end.size() && path.compare(path.size() - end.size(), end.size(), end) == 0;
}

std::string root() {
  return COMPRESSOR_SOURCE_DIR;
}

const std::vector<File>& tree() {
  static const std::vector<File> kFiles = read_tree();
  return kFiles;
}

std::vector<File> sources() {
  std::vector<File> result;
  for (const File& file : tree()) {
    if (file.ends_with(".h") || file.ends_with(".cpp")) result.push_back(file);
  }
  return result;
}

std::vector<std::string> parts(const std::string& path) {
  std::vector<std::string> result;
  for (const fs::path& part : fs::path(path)) result.push_back(part.string());
  return result;
}

std::vector<Include> includes(const File& file) {
  static const std::regex kInclude(R"re(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)re");
  std::vector<Include> result;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    std::smatch match;
    if (std::regex_match(file.lines[i], match, kInclude)) {
      result.push_back({i + 1, match[2], match[1] == "<"});
    }
  }
  return result;
}

}  // namespace compressor::house

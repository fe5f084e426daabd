// place: listing folders and peeking into files.
#include "data/place.h"

#include <algorithm>
#include <cctype>

#include "compressor/base/error.h"
#include "compressor/base/memory_map.h"
#include "compressor/base/suggest.h"
#include "data/inflate.h"

namespace compressor::data {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string peek(const std::string& path, bool& gzipped) {
  constexpr std::size_t kEnough = 4096;
  const auto file = MappedFile::open(path);
  gzipped = is_gzip(file->bytes());
  if (!gzipped) {
    const auto part = file->bytes().first(std::min(kEnough, file->bytes().size()));
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }
  std::string begin(kEnough, '\0');
  begin.resize(Inflater(file->bytes(), Inflater::Wrap::kGzip, path)
                   .read_some(std::as_writable_bytes(std::span(begin))));
  return begin;
}

}  // namespace

Place::Place(const std::string& path) : path_(path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw Error::io("{}: no such file or folder", path);
  folder_ = fs::is_directory(status);
  if (!folder_) {
    begin_ = peek(path, gzipped_);
    return;
  }
  fs::directory_iterator entries(path, error);
  if (error) throw Error::io("{}: cannot list the folder: {}", path, error.message());
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".")) continue;
    (entry.is_directory(error) ? folders_ : files_).push_back(name);
  }
  std::sort(files_.begin(), files_.end());
  std::sort(folders_.begin(), folders_.end());
}

std::string Place::folder() const {
  if (folder_) return path_;
  const fs::path parent = fs::path(path_).parent_path();
  return parent.empty() ? "." : parent.string();
}

bool Place::has_folder(const std::string& name) const {
  return std::binary_search(folders_.begin(), folders_.end(), name);
}

bool Place::has_file(const std::string& name) const {
  return std::binary_search(files_.begin(), files_.end(), name);
}

std::string Place::in(const std::string& name) const {
  return (fs::path(path_) / name).string();
}

std::string Place::extension(const std::string& name) {
  const std::string dotted = lower(fs::path(name).extension().string());
  return dotted.empty() ? dotted : dotted.substr(1);
}

std::string split_of(const std::string& name) {
  std::string word;
  const auto meaning = [](const std::string& w) -> std::string {
    if (w == "train" || w == "training") return "train";
    if (w == "test" || w == "testing" || w == "t10k") return "test";
    if (w == "val" || w == "valid" || w == "validation" || w == "dev" || w == "eval") return "val";
    return "";
  };
  for (const char c : lower(name) + ".") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      word += c;
      continue;
    }
    if (std::string found = meaning(word); !found.empty()) return found;
    word.clear();
  }
  return "";
}

std::string choose_split(const std::vector<std::string>& there, const OpenOptions& options,
                         const std::string& path) {
  const auto has = [&](const std::string& name) {
    return std::find(there.begin(), there.end(), name) != there.end();
  };
  if (!options.split.empty()) {
    if (has(options.split)) return options.split;
    std::string known;
    for (const std::string& s : there) known += (known.empty() ? "" : ", ") + s;
    throw Error::usage("{}: has no split '{}'{}; {}", path, options.split, did_you_mean(options.split, there),
                       known.empty() ? "it has none" : "it has " + known);
  }
  if (has(options.prefer)) return options.prefer;
  for (const char* name : {"test", "val", "train"}) {
    if (has(name)) return name;
  }
  return there.empty() ? "" : there.front();
}

}  // namespace compressor::data

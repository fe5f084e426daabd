// listing: from folders and label files to paths and classes.
#include "data/listing.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <set>

#include "compressor/base/error.h"

namespace compressor::data {
namespace {

namespace fs = std::filesystem;

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t v = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || stop != text.data() + text.size() || v < 0) return std::nullopt;
  return v;
}

struct Line {
  std::string name, value;
  bool text = false;  ///< after a tab
};

Line split_line(const std::string& line, const std::string& where) {
  std::size_t at = line.find('\t');
  const bool tab = at != std::string::npos;
  if (!tab) at = line.find_last_of(", ");
  const std::size_t end = at == std::string::npos ? at : line.find_last_not_of(", \t", at);
  if (at == std::string::npos || end == std::string::npos || at + 1 == line.size())
    throw Error::io("{}: found '{}', expected a file's name and its class", where, line);
  return {line.substr(0, end + 1), line.substr(at + 1), tab && !integer(line.substr(at + 1))};
}

std::vector<Line> read_lines(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw Error::io("{}: cannot open", path);
  std::vector<Line> lines;
  std::string text;
  for (std::size_t number = 1; std::getline(in, text); ++number) {
    if (!text.empty() && text.back() == '\r') text.pop_back();
    if (text.empty() || text[0] == '#') continue;
    lines.push_back(split_line(text, fmt::format("{}:{}", path, number)));
  }
  return lines;
}

// Classes by name: given ones, or all names in order.
std::map<std::string, std::int64_t> indices(const std::vector<std::string>& classes) {
  std::map<std::string, std::int64_t> list;
  for (const std::string& name : classes) list.emplace(name, static_cast<std::int64_t>(list.size()));
  return list;
}

Listing from_labels(const Place& folder, const std::string& path, const OpenOptions& options) {
  Listing listing;
  listing.classes = options.classes;
  listing.how = fs::path(path).filename().string();
  const std::vector<Line> lines = read_lines(path);
  std::set<std::string> names;
  for (const Line& line : lines) {
    if (!line.text && !integer(line.value)) names.insert(line.value);
  }
  if (!names.empty() && listing.classes.empty()) listing.classes.assign(names.begin(), names.end());
  const std::map<std::string, std::int64_t> known = indices(listing.classes);
  for (const Line& line : lines) {
    ListedFile file;
    file.path = folder.in(line.name);
    if (line.text) {
      file.text = line.value;
    } else if (const auto number = integer(line.value)) {
      file.label = number;
    } else {
      const auto found = known.find(line.value);
      if (found == known.end())
        throw Error::io("{}: '{}' has unknown class '{}'", path, line.name, line.value);
      file.label = found->second;
    }
    listing.files.push_back(std::move(file));
  }
  return listing;
}

std::vector<std::int64_t> folder_labels(const std::vector<std::string>& folders, Listing& listing,
                                        const OpenOptions& options, const std::string& path) {
  std::vector<std::int64_t> labels;
  for (const std::string& name : folders) {
    if (const auto number = integer(name)) labels.push_back(*number);
  }
  listing.classes = options.classes;
  if (labels.size() == folders.size()) return labels;
  if (listing.classes.empty()) listing.classes = folders;
  const std::map<std::string, std::int64_t> known = indices(listing.classes);
  labels.clear();
  for (const std::string& name : folders) {
    const auto found = known.find(name);
    if (found == known.end()) throw Error::io("{}: folder '{}' is none of the given classes", path, name);
    labels.push_back(found->second);
  }
  return labels;
}

void add_below(const Place& folder, const Wanted& wanted, std::optional<std::int64_t> label,
               std::vector<ListedFile>& files, int levels = 8) {
  for (const std::string& name : folder.files()) {
    if (wanted(name)) files.push_back({folder.in(name), label, std::nullopt});
  }
  if (levels == 0) return;  // folders that are links to one above them
  for (const std::string& name : folder.folders())
    add_below(Place(folder.in(name)), wanted, label, files, levels - 1);
}

std::string labels_beside(const Place& folder, const OpenOptions& options) {
  if (!options.labels.empty()) return options.labels;
  for (const char* name : {"labels.txt", "labels.csv"}) {
    if (folder.has_file(name)) return folder.in(name);
  }
  return "";
}

}  // namespace

bool lists_any(const Place& folder, const Wanted& wanted, int levels) {
  if (std::any_of(folder.files().begin(), folder.files().end(), wanted)) return true;
  return levels > 0 &&
         std::any_of(folder.folders().begin(), folder.folders().end(), [&](const std::string& name) {
           return lists_any(Place(folder.in(name)), wanted, levels - 1);
         });
}

Listing list_files(const Place& folder, const Wanted& wanted, const OpenOptions& options) {
  const std::string labels = labels_beside(folder, options);
  if (!labels.empty()) return from_labels(folder, labels, options);
  std::vector<std::string> splits;
  for (const std::string& name : folder.folders()) {
    if (!split_of(name).empty() && split_of(name).size() <= name.size()) splits.push_back(name);
  }
  if (!splits.empty() && splits.size() == folder.folders().size()) {
    OpenOptions rest = options;
    // A subfolder may be asked for by its own name or by what it means.
    std::string asked = options.split, preferred = options.prefer;
    for (const std::string& name : splits) {
      if (split_of(name) == asked) asked = name;
      if (split_of(name) == preferred) preferred = name;
    }
    rest.split = asked;
    rest.prefer = preferred;
    const std::string split = choose_split(splits, rest, folder.path());
    rest.split = rest.prefer = "";
    Listing listing = list_files(Place(folder.in(split)), wanted, rest);
    listing.split = split;
    return listing;
  }
  if (!options.split.empty() && !folder.has_folder(options.split)) choose_split({}, options, folder.path());
  if (!options.split.empty()) {
    OpenOptions rest = options;
    rest.split = "";
    Listing listing = list_files(Place(folder.in(options.split)), wanted, rest);
    listing.split = options.split;
    return listing;
  }

  Listing listing;
  std::vector<std::string> classes;
  for (const std::string& name : folder.folders()) {
    if (lists_any(Place(folder.in(name)), wanted)) classes.push_back(name);
  }
  if (classes.empty()) {
    listing.how = "without labels";
    add_below(folder, wanted, std::nullopt, listing.files);
    return listing;
  }
  listing.how = "a class a folder";
  const std::vector<std::int64_t> numbers = folder_labels(classes, listing, options, folder.path());
  for (std::size_t i = 0; i < classes.size(); ++i)
    add_below(Place(folder.in(classes[i])), wanted, numbers[i], listing.files);
  return listing;
}

}  // namespace compressor::data

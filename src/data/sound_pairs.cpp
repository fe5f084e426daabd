// sound_pairs: by names, as speech enhancement's data sets have them.
#include "data/sound_pairs.h"

#include <algorithm>
#include <filesystem>

#include "compressor/base/error.h"

namespace compressor::data {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBefore[] = {"noisy", "mix"};
constexpr const char* kAfter[] = {"clean", "enh", "target"};

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

}  // namespace

std::optional<std::string> wanted_sound(const std::string& path) {
  const fs::path file(path);
  const std::string stem = file.stem().string();
  for (const std::string before : kBefore) {
    const bool named = stem.ends_with("_" + before);
    const bool filed = file.parent_path().filename() == before;
    for (const std::string after : kAfter) {
      if (named) {
        const std::string other = stem.substr(0, stem.size() - before.size()) + after;
        const fs::path beside = file.parent_path() / (other + file.extension().string());
        if (is_file(beside)) return beside.string();
      }
      const fs::path folder = file.parent_path().parent_path() / after / file.filename();
      if (filed && is_file(folder)) return folder.string();
    }
  }
  return std::nullopt;
}

std::vector<std::string> pair_up(Listing& listing) {
  std::vector<ListedFile> paired;
  std::vector<std::string> wanted;
  for (const ListedFile& file : listing.files) {
    const std::optional<std::string> other = wanted_sound(file.path);
    if (!other) continue;
    paired.push_back({file.path, std::nullopt, std::nullopt});
    wanted.push_back(*other);
  }
  if (paired.empty()) return {};
  const auto alone = std::count_if(listing.files.begin(), listing.files.end(), [&](const ListedFile& f) {
    return !wanted_sound(f.path) && std::find(wanted.begin(), wanted.end(), f.path) == wanted.end();
  });
  listing.how = "each with what it should become";
  if (alone > 0) listing.how += fmt::format(", {} other{} left out", alone, alone == 1 ? "" : "s");
  listing.files = std::move(paired);
  listing.classes.clear();
  return wanted;
}

}  // namespace compressor::data

// model: how the summary and the profile of a model are shown.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "compressor/analysis/profile.h"
#include "compressor/analysis/summary.h"
#include "compressor/report/table.h"

namespace compressor {

/// The files that hold a model.
struct StoredFiles {
  std::string path;
  std::uint64_t bytes = 0;  ///< of the .onnx file
  std::vector<std::pair<std::string, std::uint64_t>> external;
  std::uint64_t total() const;
};

std::string summary_text(const ModelSummary& summary, const StoredFiles& files);
std::string summary_json(const ModelSummary& summary, const StoredFiles& files);

enum class ProfileSort { kOrder, kMacs, kFlops, kParams, kBytes, kActivations };

/// What to show of a profile.
struct ProfileView {
  bool by_op = false;
  ProfileSort sort = ProfileSort::kOrder;
  std::size_t top = 0;  ///< rows; 0: all
};

Table profile_table(const Profile& profile, const ProfileView& view);
/// Symbols taken as 1 and what was not counted, a sentence each.
std::vector<std::string> profile_notes(const Profile& profile);
std::string profile_text(const Profile& profile, const ProfileView& view);
std::string profile_markdown(const Profile& profile, const ProfileView& view, const std::string& title);
std::string profile_json(const Profile& profile, const ProfileView& view, const StoredFiles& files);

}  // namespace compressor

// docs_test: links in the documentation lead somewhere.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <regex>
#include <set>

#include "house/tree.h"

namespace compressor::house {
namespace {

namespace fs = std::filesystem;

/// The anchors of a Markdown file, made as web forges make them: lower case, punctuation dropped, spaces to
/// dashes.
std::set<std::string> anchors(const File& file) {
  std::set<std::string> result;
  for (const std::string& line : file.lines) {
    const auto text = line.find_first_not_of('#');
    if (text == 0 || text == std::string::npos || line[text] != ' ') continue;
    std::string anchor;
    for (const char c : line.substr(text + 1)) {
      if (c == ' ') anchor += '-';
      if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_')
        anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    result.insert(anchor);
  }
  return result;
}

const File* find(const std::string& path) {
  for (const File& file : tree()) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

/// Why a link from `from` leads nowhere; "" when it leads somewhere. Links to other machines are not
/// followed.
std::string broken(const File& from, const std::string& link) {
  if (link.find("://") != std::string::npos || link.rfind("mailto:", 0) == 0) return "";
  const auto hash = link.find('#');
  const std::string path = link.substr(0, hash);
  const fs::path target =
      path.empty() ? fs::path(from.path) : (fs::path(from.path).parent_path() / path).lexically_normal();
  if (!fs::exists(fs::path(root()) / target)) return "no such file";
  if (hash == std::string::npos) return "";
  const File* file = find(target.string());
  if (!file) return "an anchor in something that is not text";
  return anchors(*file).count(link.substr(hash + 1)) > 0 ? "" : "no such heading";
}

TEST(Docs, BrokenLinksAreFound) {
  const File here{"README.md", {"# The One", "## Two, and a half"}};
  EXPECT_EQ(broken(here, "cmake/rooms.cmake"), "");
  EXPECT_EQ(broken(here, "cmake/no_such.cmake"), "no such file");
  EXPECT_EQ(anchors(here), (std::set<std::string>{"the-one", "two-and-a-half"}));
}

TEST(Docs, LinksLeadSomewhere) {
  const std::regex link(R"(\]\(([^)\s]+)\))");
  std::size_t seen = 0;
  for (const File& file : tree()) {
    if (!file.ends_with(".md")) continue;
    bool code = false;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      if (line.rfind("```", 0) == 0) code = !code;
      if (code) continue;
      for (std::sregex_iterator it(line.begin(), line.end(), link), end; it != end; ++it, ++seen) {
        EXPECT_EQ(broken(file, (*it)[1]), "") << file.path << ":" << i + 1 << ": " << (*it)[1];
      }
    }
  }
  EXPECT_GE(seen, 4U) << "the documentation was not read";
}

TEST(Docs, TextsAreFinishedAndOfNoParticularMachine) {
  const std::regex unfinished(R"(\b(TODO|FIXME|XXX|TBD)\b)");
  const std::regex machine(R"((^|[\s"'(=`])/(home|root|work|opt|mnt|srv|scratch)/)");
  for (const File& file : tree()) {
    if (file.in("tests/house")) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string at = file.path + ":" + std::to_string(i + 1) + ": ";
      EXPECT_FALSE(std::regex_search(file.lines[i], unfinished)) << at << "unfinished: " << file.lines[i];
      EXPECT_FALSE(std::regex_search(file.lines[i], machine))
          << at << "path of one machine: " << file.lines[i];
    }
  }
}

TEST(Docs, NoHype) {
  const std::regex hype(
      R"(\b(blazing|seamless(ly)?|revolutionary|cutting.edge|world.class|effortless(ly)?|game.chang\w*)\b)",
      std::regex::icase);
  for (const File& file : tree()) {
    if (!file.ends_with(".md")) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_FALSE(std::regex_search(file.lines[i], hype))
          << file.path << ":" << i + 1 << ": " << file.lines[i];
    }
  }
}

}  // namespace
}  // namespace compressor::house

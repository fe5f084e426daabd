// style_test: what every file of the source tree has in common.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>

#include "house/tree.h"

namespace compressor::house {
namespace {

TEST(Style, FirstLineSaysWhatTheFileIsFor) {
  // `// name: what it is for`, or a sentence; more than a word in any case.
  const std::regex comment(R"(// \S+ .*\S.*)");
  for (const File& file : sources()) {
    ASSERT_FALSE(file.lines.empty()) << file.path << ": empty";
    EXPECT_TRUE(std::regex_match(file.lines[0], comment))
        << file.path << ": first line: found '" << file.lines[0] << "', expected '// what the file is for'";
  }
}

TEST(Style, HeadersAreIncludedOnce) {
  for (const File& file : sources()) {
    if (!file.ends_with(".h")) continue;
    EXPECT_THAT(file.lines, testing::Contains("#pragma once")) << file.path;
  }
}

TEST(Style, NamesSayWhatIsInside) {
  const std::set<std::string> empty_words = {"util",    "utils",    "helper", "helpers", "common",
                                             "manager", "managers", "misc",   "stuff"};
  const std::regex snake("[a-z0-9_]+");
  for (const File& file : sources()) {
    for (const std::string& part : parts(file.path)) {
      const std::string stem = std::filesystem::path(part).stem().string();
      EXPECT_EQ(empty_words.count(stem), 0U) << file.path << ": '" << stem << "' says nothing";
      EXPECT_TRUE(std::regex_match(stem, snake)) << file.path << ": '" << stem << "' is not snake_case";
    }
  }
}

TEST(Style, TheLibraryNeverPrints) {
  const std::regex prints(
      R"((std::(cout|cerr|clog|printf|puts|fprintf)|\bfmt::print|\b(printf|puts|perror)\s*\()|\bfprintf\s*\()");
  for (const File& file : sources()) {
    if (!file.in("src") && !file.in("include")) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_FALSE(std::regex_search(file.lines[i], prints))
          << file.path << ":" << i + 1 << ": only tools/ prints: " << file.lines[i];
    }
  }
}

}  // namespace
}  // namespace compressor::house

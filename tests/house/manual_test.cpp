// manual_test: the manual speaks of the program as it is: a page a command, its own help, examples that
// parse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "house/program.h"
#include "house/tree.h"

namespace compressor::house {
namespace {

/// Calls of the program in the code blocks of a page: lines after a `$`, and all lines of `sh` blocks.
/// Continued lines are joined.
std::vector<std::string> calls(const File& page) {
  const std::regex call(R"((\$ )?(\S*/)?compressor (.*))");
  std::vector<std::string> result;
  std::string block;  // the line that opened it
  for (std::size_t i = 0; i < page.lines.size(); ++i) {
    std::string line = page.lines[i];
    if (line.rfind("```", 0) == 0) block = block.empty() ? line : "";
    while (!line.empty() && line.back() == '\\' && i + 1 < page.lines.size()) {
      line.back() = ' ';
      line += page.lines[++i];
    }
    std::smatch match;
    if (block.empty() || !std::regex_match(line, match, call)) continue;
    if (match[1].matched || block == "```sh") result.push_back(match[3]);
  }
  return result;
}

/// What is wrong with a call: a command or a flag that is not there; "" when nothing is.
std::string wrong_with(const std::string& call) {
  std::istringstream words(call);
  std::string command;
  words >> command;
  if (command.starts_with('-')) return command == "--help" || command == "--version" ? "" : "no such flag";
  const std::vector<std::string> known = commands();
  if (std::find(known.begin(), known.end(), command) == known.end()) return "no command '" + command + "'";
  for (std::string word; words >> word;) {
    if (word == "#" || word == "|" || word == ">" || word == "&&" || word == ";") break;
    if (word.rfind("--", 0) != 0) continue;
    const std::string flag = word.substr(0, word.find('='));
    if (flags(command).count(flag) == 0) return "'" + command + "' has no flag " + flag;
  }
  return "";
}

TEST(Manual, WrongCallsAreFound) {
  EXPECT_EQ(wrong_with("profile --json model.onnx"), "");
  EXPECT_EQ(wrong_with("profile --jsn model.onnx"), "'profile' has no flag --jsn");
  EXPECT_EQ(wrong_with("profil model.onnx"), "no command 'profil'");
  const File page{"x.md",
                  {"$ compressor no", "```sh", "$ compressor info \\", "  a.onnx", "bin/compressor list",
                   "```", "```text", "compressor no", "```"}};
  EXPECT_THAT(calls(page), testing::ElementsAre("info    a.onnx", "list"));
}

TEST(Manual, EveryCommandHasAPageAndEveryPageACommand) {
  std::vector<std::string> pages;
  for (const File& file : tree()) {
    const std::vector<std::string> p = parts(file.path);
    if (file.in("docs/commands") && p.size() == 3 && p[2] != "README.md")
      pages.push_back(p[2].substr(0, p[2].size() - 3));
  }
  EXPECT_THAT(pages, testing::UnorderedElementsAreArray(commands()));
}

TEST(Manual, ExamplesUseCommandsAndFlagsThatAreThere) {
  std::size_t seen = 0;
  for (const File& file : tree()) {
    if (!file.ends_with(".md")) continue;
    for (const std::string& call : calls(file)) {
      ++seen;
      EXPECT_EQ(wrong_with(call), "") << file.path << ": compressor " << call;
    }
  }
  EXPECT_GT(seen, 5U);
}

// COMPRESSOR_WRITE_DOCS=1 writes what the program prints into the pages instead.
TEST(Manual, SessionsShowWhatTheProgramPrints) {
  const bool write = std::getenv("COMPRESSOR_WRITE_DOCS") != nullptr;
  const std::string start = "$ compressor ";
  const Workplace place;
  std::size_t seen = 0;
  for (const File& file : tree()) {
    if (!file.ends_with(".md")) continue;
    std::string page;
    bool changed = false;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      page += file.lines[i] + "\n";
      if (file.lines[i] != "```text" || i + 1 == file.lines.size() || file.lines[i + 1].rfind(start, 0) != 0)
        continue;
      ++seen;
      std::string found, expected;
      for (++i; i < file.lines.size() && file.lines[i] != "```"; ++i) {
        found += file.lines[i] + "\n";
        if (file.lines[i].rfind(start, 0) != 0) continue;
        expected += file.lines[i] + "\n" + place.output_of(file.lines[i].substr(start.size()));
      }
      if (!write) {
        EXPECT_EQ(found, expected) << file.path
                                   << ": run test_house with COMPRESSOR_WRITE_DOCS=1 to renew it";
      }
      changed = changed || found != expected;
      page += expected + "```\n";
    }
    if (write && changed) std::ofstream(root() + "/" + file.path) << page;
  }
  EXPECT_GT(seen, commands().size());
}

}  // namespace
}  // namespace compressor::house

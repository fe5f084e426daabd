// program: runs the program and reads its help.
#include "house/program.h"

#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp

#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "house/tree.h"

namespace compressor::house {

namespace {

struct Output {
  std::string text;
  int status;
};

Output run(const std::string& line) {
  FILE* pipe = popen(line.c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot run: " + line);
  Output output = {};
  std::array<char, 4096> buffer = {};
  for (std::size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.text.append(buffer.data(), n);
  }
  output.status = pclose(pipe);
  return output;
}

std::string call(const std::string& words) {
  return std::string("CI=1 NO_COLOR=1 '") + COMPRESSOR_PROGRAM + "' " + words + " </dev/null";
}

}  // namespace

std::string output_of(const std::string& words) {
  const Output output = run(call(words));
  if (output.status != 0) throw std::runtime_error("failed: compressor " + words);
  return output.text;
}

Workplace::Workplace() {
  std::string pattern = (std::filesystem::temp_directory_path() / "compressor-manual-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary folder");
  path_ = pattern;
  std::filesystem::create_directory(path_ + "/models");
  for (const auto& entry : std::filesystem::directory_iterator(root() + "/models")) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with("_fashion.onnx")) std::filesystem::copy(entry.path(), path_ + "/models/" + name);
  }
}

Workplace::~Workplace() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Workplace::output_of(const std::string& words) const {
  return run("cd '" + path_ + "' && " + call(words) + " 2>&1").text;
}

std::vector<std::string> commands() {
  const std::regex entry("  ([a-z][a-z0-9-]*)  +\\S.*");
  std::vector<std::string> result;
  std::istringstream help(output_of("--help"));
  for (std::string line; std::getline(help, line);) {
    std::smatch match;
    if (std::regex_match(line, match, entry)) result.push_back(match[1]);
  }
  return result;
}

std::set<std::string> flags(const std::string& command) {
  static std::map<std::string, std::set<std::string>> known;
  const auto [it, added] = known.try_emplace(command);
  if (added) {
    const std::string help = output_of(command + " --help");
    const std::regex flag("--[a-z][a-z0-9-]*");
    for (std::sregex_iterator match(help.begin(), help.end(), flag), end; match != end; ++match) {
      it->second.insert(match->str());
    }
  }
  return it->second;
}

}  // namespace compressor::house

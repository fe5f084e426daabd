// program: asks the built program what it can do.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace compressor::house {

/// Standard output of `compressor WORDS`, which must succeed; throws std::runtime_error otherwise.
std::string output_of(const std::string& words);
/// A temporary folder with a copy of models/ in which the program is called as a user would.
class Workplace {
 public:
  Workplace();
  ~Workplace();
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  /// Standard output and standard error of `compressor WORDS`, whatever its exit code.
  std::string output_of(const std::string& words) const;

 private:
  std::string path_;
};

/// The commands that `compressor --help` lists.
std::vector<std::string> commands();
/// The long flags that `compressor COMMAND --help` names: "--ratio".
std::set<std::string> flags(const std::string& command);

}  // namespace compressor::house

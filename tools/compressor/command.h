// command: what a command of the program is.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compressor/base/option.h"
#include "terminal.h"

namespace compressor::cli {

/// A command declares its options as members; the parser, the help and the shell completion read them.
class Command : public Options {
 public:
  struct Section {
    std::string title;
    const Options* options;
  };

  virtual std::string name() const = 0;
  /// One sentence, lower case, without a full stop.
  virtual std::string summary() const = 0;
  /// The heading under which the program's help lists it.
  virtual std::string heading() const = 0;
  /// Lines for the end of the help: examples and what is worth knowing.
  virtual std::string epilog() const { return ""; }
  /// Does the work; throws Error.
  virtual void run(Terminal& terminal) = 0;

  const std::vector<Section>& sections() const { return sections_; }
  const TerminalOptions& terminal_options() const { return terminal_options_; }

 protected:
  /// Adds a group of options under a title of its own in the help.
  void section(const std::string& title, Options& group) {
    include(group);
    sections_.push_back({title, &group});
  }
  /// Called last by every constructor: the options that all commands have.
  void finish() { section("Terminal", terminal_options_); }

 private:
  std::vector<Section> sections_;
  TerminalOptions terminal_options_;
};

using CommandTable = std::vector<std::unique_ptr<Command>>;

/// All commands: one a file in commands/, and one for every pass.
CommandTable all_commands();
/// Made by CMake from the files of commands/: calls register_<stem>(table) of each.
void register_all(CommandTable& table);
/// A command for every pass of the registry.
void add_pass_commands(CommandTable& table);

/// The words a command was called with: sets its options. Returns false when help was asked for and nothing
/// else is to be done. Throws Error::usage with a suggestion.
bool parse_arguments(Command& command, const std::vector<std::string>& words);

std::string program_help(const CommandTable& commands);
std::string command_help(const Command& command);
/// Titles and options in the order of the help: the command's own first.
std::vector<std::pair<std::string, std::vector<const OptionBase*>>> help_sections(const Command& command);
/// "--output", "--no-fold" for a flag that is on by default.
std::string long_flag(const OptionBase& option);

}  // namespace compressor::cli

// help: written from the declarations of options.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "command.h"

namespace compressor::cli {
namespace {

constexpr std::size_t kColumn = 32;
constexpr std::size_t kWidth = 110;

// `left` in a column, `right` wrapped beside it.
std::string entry(const std::string& left, const std::string& right) {
  std::string text = "  " + left;
  if (text.size() + 2 > kColumn) text += "\n";
  std::size_t column = text.back() == '\n' ? 0 : text.size();
  std::size_t start = 0;
  bool fresh = true;
  while (start < right.size()) {
    std::size_t end = right.find(' ', start);
    if (end == std::string::npos) end = right.size();
    const std::string word = right.substr(start, end - start);
    start = end + 1;
    if (!fresh && column + 1 + word.size() > kWidth) {
      text += "\n";
      column = 0;
      fresh = true;
    }
    if (fresh) {
      text += std::string(kColumn - column, ' ');
      column = kColumn;
    } else {
      text += " ";
      ++column;
    }
    text += word;
    column += word.size();
    fresh = false;
  }
  return text + "\n";
}

std::string left_of(const OptionBase& option) {
  if (option.is_positional()) return "<" + option.name() + ">";
  std::string text = option.short_flag() ? fmt::format("-{}, ", option.short_flag()) : "    ";
  text += long_flag(option);
  const std::string metavar = option.choices().empty() ? option.metavar() : "<word>";
  return metavar.empty() ? text : text + " " + metavar;
}

std::string right_of(const OptionBase& option) {
  std::string text = option.help();
  if (option.is_flag()) return text;
  if (!option.choices().empty()) text += fmt::format(": {}", fmt::join(option.choices(), "|"));
  if (const std::string range = option.range_text(); !range.empty()) text += fmt::format(" ({})", range);
  if (const std::string value = option.text(); !value.empty()) text += fmt::format(" [default: {}]", value);
  return text;
}

std::string capital(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z')
    text.front() = static_cast<char>(text.front() - 32);
  return text;
}

}  // namespace

std::vector<std::pair<std::string, std::vector<const OptionBase*>>> help_sections(const Command& command) {
  std::set<const OptionBase*> grouped;
  std::vector<std::pair<std::string, std::vector<const OptionBase*>>> list;
  for (const auto& [title, options] : command.sections()) {
    for (const OptionBase* option : options->options()) grouped.insert(option);
  }
  std::vector<const OptionBase*> positional, own;
  for (const OptionBase* option : command.options()) {
    if (option->is_positional()) {
      positional.push_back(option);
    } else if (!grouped.contains(option)) {
      own.push_back(option);
    }
  }
  if (!positional.empty()) list.emplace_back("Arguments", positional);
  if (!own.empty()) list.emplace_back("Options", own);
  for (const auto& [title, options] : command.sections()) {
    std::vector<const OptionBase*> shown;
    for (const OptionBase* option : options->options()) {
      if (!option->is_positional()) shown.push_back(option);
    }
    if (!shown.empty()) list.emplace_back(title, shown);
  }
  return list;
}

std::string command_help(const Command& command) {
  std::string text = fmt::format("compressor {}: {}.\n\nUsage: compressor {} [options]", command.name(),
                                 command.summary(), command.name());
  for (const OptionBase* option : command.options()) {
    if (!option->is_positional()) continue;
    const std::string word = option->name() + (option->is_list() ? "..." : "");
    text += option->is_optional() ? " [" + word + "]" : " <" + word + ">";
  }
  text += "\n";
  for (const auto& [title, options] : help_sections(command)) {
    text += "\n" + title + ":\n";
    for (const OptionBase* option : options) text += entry(left_of(*option), capital(right_of(*option)));
  }
  text += entry("-h, --help", "Show this and exit");
  if (const std::string epilog = command.epilog(); !epilog.empty()) text += "\n" + epilog;
  return text;
}

std::string program_help(const CommandTable& commands) {
  std::string text =
      "compressor: makes neural networks smaller and faster, ONNX in and ONNX out.\n\n"
      "Usage: compressor <command> [options] <model.onnx>\n";
  std::vector<std::string> headings{"Look", "Change", "Run"};
  for (const auto& command : commands) {
    if (std::find(headings.begin(), headings.end(), command->heading()) == headings.end()) {
      headings.push_back(command->heading());
    }
  }
  for (const std::string& heading : headings) {
    text += "\n" + heading + ":\n";
    for (const auto& command : commands) {
      if (command->heading() == heading) text += entry(command->name(), capital(command->summary()));
    }
  }
  text +=
      "\nOther:\n" + entry("-h, --help", "Show this and exit") +
      entry("--version", "Show the version and exit") +
      "\n'compressor <command> --help' shows a command's options.\n"
      "Exit codes: 0 done, 1 internal error, 2 usage, 3 unreadable or unsupported model, 4 a gate failed,\n"
      "5 target not reachable, 6 input/output, 7 some inputs of a batch failed, 130 interrupted.\n";
  return text;
}

}  // namespace compressor::cli

// parse: declared options become CLI11 options; what CLI11 collects goes to the declarations to be read.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>

#include "command.h"
#include "compressor/base/suggest.h"

namespace compressor::cli {
namespace {

std::string flags_of(const OptionBase& option) {
  std::string flags = option.short_flag() ? fmt::format("-{},", option.short_flag()) : "";
  flags += "--" + option.name();
  if (option.is_flag() && option.text() == "true") flags += fmt::format(",!--no-{}", option.name());
  return flags;
}

// The flag in a word such as "--rato=0.5", without dashes and value.
std::string bare(const std::string& word) {
  const auto start = word.find_first_not_of('-');
  if (start == std::string::npos) return word;
  return word.substr(start, word.find('=') - start);
}

[[noreturn]] void unexpected(const Command& command, const std::string& word) {
  if (word.size() < 2 || word.front() != '-') {
    throw Error::usage("{}: found '{}', which is one argument too many", command.name(), word);
  }
  std::vector<std::string> names{"help"};
  for (const OptionBase* option : command.options()) {
    if (!option->is_positional()) names.push_back(bare(long_flag(*option)));
  }
  throw Error::usage("{}: unknown flag '{}'{}", command.name(), word.substr(0, word.find('=')),
                     did_you_mean(bare(word), names, "--"));
}

void give(const Command& command, OptionBase& option, const std::vector<std::string>& values) {
  if (values.size() > 1 && !option.is_list() && !option.is_flag()) {
    throw Error::usage("--{}: is given {} times, expected once", option.name(), values.size());
  }
  for (const std::string& value : values) {
    try {
      option.parse(value);
    } catch (const Error& e) {
      if (!option.is_positional()) throw;
      throw Error::usage("{}: {}", command.name(), e.what() + 2);  // a positional has no dashes
    }
  }
}

}  // namespace

std::string long_flag(const OptionBase& option) {
  return (option.is_flag() && option.text() == "true" ? "--no-" : "--") + option.name();
}

bool parse_arguments(Command& command, const std::vector<std::string>& words) {
  check_names(command.options());
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  bool help = false;
  app.add_flag("-h,--help", help);
  std::map<OptionBase*, std::vector<std::string>> given;
  std::map<OptionBase*, CLI::Option*> bound;
  for (OptionBase* option : command.options()) {
    std::vector<std::string>& values = given[option];
    if (option->is_flag()) {
      bound[option] = app.add_flag(flags_of(*option))->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
      continue;
    }
    CLI::Option* o = app.add_option(option->is_positional() ? option->name() : flags_of(*option), values);
    const bool many = option->is_positional() && option->is_list();
    o->allow_extra_args(many)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    if (!many) o->type_size(1)->expected(1);
    bound[option] = o;
  }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::Error& e) {
    const std::vector<std::string> rest = app.remaining();
    for (const std::string& word : rest) {
      if (word.starts_with("-")) unexpected(command, word);
    }
    throw Error::usage("{}: {}", command.name(), e.what());
  }
  if (help) return false;
  if (const auto rest = app.remaining(); !rest.empty()) {
    for (const std::string& word : rest) {
      if (word.starts_with("-")) unexpected(command, word);
    }
    unexpected(command, rest.front());
  }
  for (OptionBase* option : command.options()) {
    const CLI::Option& o = *bound[option];
    if (o.count() > 0)
      give(command, *option, option->is_flag() ? o.as<std::vector<std::string>>() : given[option]);
    if (option->is_positional() && !option->is_optional() && !option->is_set()) {
      throw Error::usage("{}: expected <{}>: {}", command.name(), option->name(), option->help());
    }
  }
  return true;
}

}  // namespace compressor::cli

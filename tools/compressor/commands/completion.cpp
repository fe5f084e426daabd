// completion: a script that lets a shell complete commands, flags, words and files, made from the
// declarations.
#include <fmt/format.h>

#include "command.h"

namespace compressor::cli {
namespace {

std::vector<const OptionBase*> flags_of(const Command& command) {
  std::vector<const OptionBase*> list;
  for (const auto& [title, options] : help_sections(command)) {
    for (const OptionBase* option : options) {
      if (!option->is_positional()) list.push_back(option);
    }
  }
  return list;
}

std::string names_of(const CommandTable& commands) {
  std::string names;
  for (const auto& command : commands) names += (names.empty() ? "" : " ") + command->name();
  return names;
}

// The words that the first positional permits; empty when it is a file.
std::vector<std::string> positional_words(const Command& command) {
  for (const OptionBase* option : command.options()) {
    if (option->is_positional()) return option->choices();
  }
  return {};
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string bash(const CommandTable& commands) {
  std::string cases, values;
  for (const auto& command : commands) {
    std::string flags = "--help";
    for (const OptionBase* option : flags_of(*command)) {
      flags += " " + long_flag(*option);
      if (option->is_flag()) continue;
      const std::string pattern = option->short_flag()
                                      ? fmt::format("{}:{}|{}:-{}", command->name(), long_flag(*option),
                                                    command->name(), option->short_flag())
                                      : fmt::format("{}:{}", command->name(), long_flag(*option));
      const std::string reply =
          !option->choices().empty()
              ? fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$cur\"))", fmt::join(option->choices(), " "))
          : option->is_path() ? "COMPREPLY=($(compgen -f -- \"$cur\"))"
                              : "COMPREPLY=()";
      values += fmt::format("    {}) {}; return ;;\n", pattern, reply);
    }
    const auto words = positional_words(*command);
    const std::string rest = words.empty()
                                 ? "$(compgen -f -- \"$cur\")"
                                 : fmt::format("$(compgen -W '{}' -- \"$cur\")", fmt::join(words, " "));
    cases += fmt::format("    {}) flags='{}'; rest=({}) ;;\n", command->name(), flags, rest);
  }
  return fmt::format(
      R"(# bash completion of compressor; use it with: source <(compressor completion bash)
_compressor() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command=${{COMP_WORDS[1]}} flags rest
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{} --help --version' -- "$cur"))
    return
  fi
  case "$command:$prev" in
{}  esac
  case "$command" in
{}    *) return ;;
  esac
  case "$cur" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$cur")) ;;
    *) COMPREPLY=("${{rest[@]}}") ;;
  esac
}}
complete -o filenames -F _compressor compressor
)",
      names_of(commands), values, cases);
}

std::string zsh_spec(const OptionBase& option) {
  std::string help;
  for (const char c : option.help()) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') help += '\\';
    help += c;
  }
  std::string value;
  if (!option.is_flag()) {
    value = fmt::format(":{}:", option.name());
    if (!option.choices().empty()) value += fmt::format("({})", fmt::join(option.choices(), " "));
    if (option.is_path()) value += "_files";
  }
  const std::string star = option.is_list() ? "*" : "";
  std::string text =
      "    " + quoted(fmt::format("{}{}[{}]{}", star, long_flag(option), help, value)) + " \\\n";
  if (option.short_flag()) {
    text += "    " + quoted(fmt::format("{}-{}[{}]{}", star, option.short_flag(), help, value)) + " \\\n";
  }
  return text;
}

std::string zsh(const CommandTable& commands) {
  std::string names, cases;
  for (const auto& command : commands) {
    names += fmt::format("    {}\n", quoted(command->name() + ":" + command->summary()));
    cases += fmt::format("  {}) _arguments \\\n", command->name());
    for (const OptionBase* option : flags_of(*command)) cases += zsh_spec(*option);
    cases += "    '--help[show this and exit]' \\\n";
    const auto words = positional_words(*command);
    cases += words.empty() ? "    '*:file:_files' ;;\n"
                           : fmt::format("    '*:word:({})' ;;\n", fmt::join(words, " "));
  }
  return fmt::format(
      R"(#compdef compressor
# zsh completion of compressor; use it with: source <(compressor completion zsh)
_compressor() {{
  local -a commands
  commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{}  esac
}}
compdef _compressor compressor
)",
      names, cases);
}

std::string fish(const CommandTable& commands) {
  std::string text = "# fish completion of compressor; use it with: compressor completion fish | source\n";
  for (const auto& command : commands) {
    text += fmt::format("complete -c compressor -n __fish_use_subcommand -f -a {} -d {}\n", command->name(),
                        quoted(command->summary()));
    const std::string when =
        fmt::format("complete -c compressor -n '__fish_seen_subcommand_from {}'", command->name());
    const auto words = positional_words(*command);
    if (!words.empty()) text += fmt::format("{} -f -a '{}'\n", when, fmt::join(words, " "));
    for (const OptionBase* option : flags_of(*command)) {
      text += fmt::format("{} -l {}", when, long_flag(*option).substr(2));
      if (option->short_flag()) text += fmt::format(" -s {}", option->short_flag());
      if (!option->choices().empty()) {
        text += fmt::format(" -x -a '{}'", fmt::join(option->choices(), " "));
      } else if (!option->is_flag()) {
        text += option->is_path() ? " -r" : " -x";
      }
      text += fmt::format(" -d {}\n", quoted(option->help()));
    }
  }
  return text;
}

class Completion : public Command {
 public:
  Completion() {
    shell_.positional();
    finish();
  }
  std::string name() const override { return "completion"; }
  std::string summary() const override { return "print a completion script for a shell"; }
  std::string heading() const override { return "Shell"; }
  std::string epilog() const override { return "Example: source <(compressor completion bash)\n"; }

  void run(Terminal& terminal) override {
    const CommandTable commands = all_commands();
    terminal.print(*shell_ == "bash" ? bash(commands) : *shell_ == "zsh" ? zsh(commands) : fish(commands));
  }

 private:
  Option<std::string> shell_{*this, "shell", "", "bash, zsh or fish", Choices{{"bash", "zsh", "fish"}}};
};

}  // namespace

void register_completion(CommandTable& table);
void register_completion(CommandTable& table) {
  table.push_back(std::make_unique<Completion>());
}

}  // namespace compressor::cli

// compressor: finds the command, runs it, and turns what went wrong into a message and an exit code.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <new>

#include "command.h"
#include "compressor/base/error.h"
#include "compressor/base/interrupt.h"
#include "compressor/base/suggest.h"
#include "compressor/pipeline/run.h"
#include "waiting.h"

namespace compressor::cli {
namespace {

Command& find(const CommandTable& commands, const std::string& word) {
  std::vector<std::string> names;
  for (const auto& command : commands) {
    if (command->name() == word) return *command;
    names.push_back(command->name());
  }
  if (word.starts_with("-")) {
    throw Error::usage("found '{}', expected a command before it; see 'compressor --help'", word);
  }
  throw Error::usage("unknown command '{}'{}; see 'compressor --help'", word, did_you_mean(word, names));
}

void run(std::vector<std::string> words) {
  const CommandTable commands = all_commands();
  const TerminalOptions plain;
  if (words.empty()) throw Error::usage("expected a command; see 'compressor --help'");
  if (words.front() == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  if (words.front() == "--help" || words.front() == "-h")
    return Terminal(plain).print(program_help(commands));
  if (words.front() == "--version") return Terminal(plain).print(fmt::format("compressor {}\n", version()));
  Command& command = find(commands, words.front());
  words.erase(words.begin());
  if (!parse_arguments(command, words)) return Terminal(plain).print(command_help(command));
  Terminal terminal(command.terminal_options());
  command.run(terminal);
}

int guarded(const std::vector<std::string>& words) {
  try {
    run(words);
    return 0;
  } catch (const Error& e) {
    print_error(e.what());
    if (e.kind() == ErrorKind::kInternal) {
      print_error(
          "this is a mistake of compressor's, not of yours; please report it with the command and the model");
    }
    return e.exit_code();
  } catch (const std::bad_alloc&) {
    print_error("out of memory");
    return static_cast<int>(ErrorKind::kIo);
  } catch (const std::exception& e) {
    print_error(fmt::format("internal: {}", e.what()));
    return static_cast<int>(ErrorKind::kInternal);
  }
}

}  // namespace
}  // namespace compressor::cli

int main(int argc, char** argv) {
  compressor::cli::wait_briefly(argv);
  compressor::handle_signals();
  return compressor::cli::guarded({argv + 1, argv + argc});
}

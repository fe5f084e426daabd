// terminal: streams, colours, and the sink of the library's log.
#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "compressor/base/error.h"
#include "compressor/base/log.h"

namespace compressor::cli {
namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

void put(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

Progress::Style style_of(const TerminalOptions& options) {
  if (*options.quiet || *options.progress == "none") return Progress::Style::kNone;
  if (*options.progress == "plain") return Progress::Style::kPlain;
  const bool terminal = ::isatty(STDERR_FILENO) == 1 && !is_set("CI");
  return terminal ? Progress::Style::kLine : Progress::Style::kNone;
}

}  // namespace

TerminalOptions::TerminalOptions() {
  quiet.letter('q').no_effect();
  verbose.letter('v').no_effect();
  progress.no_effect();
  no_color.no_effect();
}

bool wants_color(int stream) {
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return !dumb && !is_set("NO_COLOR") && !is_set("CI") && ::isatty(stream) == 1;
}

Terminal::Terminal(const TerminalOptions& options)
    : quiet_(*options.quiet),
      color_(!*options.no_color && wants_color(STDERR_FILENO)),
      progress_(std::make_unique<Progress>(style_of(options), [](const std::string& s) { put(stderr, s); })) {
  if (*options.quiet && *options.verbose) {
    throw Error::usage("--quiet and --verbose: expected one of them");
  }
  winsize size = {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) width_ = size.ws_col;
  set_log(*options.verbose ? LogLevel::kDebug : LogLevel::kInfo,
          [this](LogLevel level, const std::string& text) {
            level == LogLevel::kWarning ? warn(text) : say(text);
          });
}

Terminal::~Terminal() {
  set_log(LogLevel::kWarning, nullptr);
}

void Terminal::print(const std::string& text) {
  progress_->clear();
  put(stdout, text);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw Error::io("standard output: cannot write: {}", std::strerror(errno));
  }
}

void Terminal::say(const std::string& text) {
  if (quiet_) return;
  progress_->clear();
  put(stderr, text + "\n");
}

void Terminal::warn(const std::string& text) {
  if (quiet_) return;
  progress_->clear();
  put(stderr, (color_ ? "\x1b[33mwarning:\x1b[0m " : "warning: ") + text + "\n");
}

void print_error(const std::string& text) {
  put(stderr, (wants_color(STDERR_FILENO) ? "\x1b[31merror:\x1b[0m " : "error: ") + text + "\n");
}

}  // namespace compressor::cli

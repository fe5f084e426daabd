// terminal: where results, messages and progress go, and in which dress.
#pragma once

#include <memory>
#include <string>

#include "compressor/base/option.h"
#include "compressor/base/progress.h"

namespace compressor::cli {

/// Options that every command has.
struct TerminalOptions : Options {
  Option<bool> quiet{*this, "quiet", false, "say nothing but errors on standard error"};
  Option<bool> verbose{*this, "verbose", false, "say more on standard error"};
  Option<std::string> progress{*this, "progress", "auto", "how to show progress on standard error",
                               Choices{{"auto", "plain", "none"}}};
  Option<bool> no_color{*this, "no-color", false, "no colours (also when NO_COLOR or CI is set)"};
  TerminalOptions();
};

/// Standard output holds results and nothing else; standard error holds the rest.
class Terminal {
 public:
  explicit Terminal(const TerminalOptions& options);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// A result, on standard output. Throws Error::io when it cannot be written.
  void print(const std::string& text);
  /// For people: what was written where; on standard error, not with -q.
  void say(const std::string& text);
  void warn(const std::string& text);
  void progress(const std::string& what, double share) { progress_->update(what, share); }
  /// Columns of standard output; 0 when it is not a terminal.
  int width() const { return width_; }

 private:
  bool quiet_, color_;
  int width_ = 0;
  std::unique_ptr<Progress> progress_;
};

/// "error: text" on standard error, coloured where that is wanted.
void print_error(const std::string& text);
/// Whether text on this stream (1 or 2) may be coloured, by NO_COLOR, CI, TERM and the stream itself.
bool wants_color(int stream);

}  // namespace compressor::cli

// error: the one exception type, its kinds (which are the exit codes), and checks of our own assumptions.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace compressor {

/// What went wrong, and the exit code that says so.
enum class ErrorKind {
  kInternal = 1,    ///< a mistake of ours
  kUsage = 2,       ///< flags, recipes, settings
  kModel = 3,       ///< unreadable or unsupported model
  kGate = 4,        ///< an accuracy or verification gate failed
  kTarget = 5,      ///< the target is not reachable
  kIo = 6,          ///< input/output
  kPartial = 7,     ///< some inputs of a batch failed
  kInterrupt = 130  ///< Ctrl-C
};

/// Thrown for users' mistakes and unusable input; caught once, in `main`. Messages are lower case and name
/// the thing, what was found and what was expected.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  template <class... A>
  static Error usage(fmt::format_string<A...> text, A&&... args) {
    return {ErrorKind::kUsage, fmt::format(text, std::forward<A>(args)...)};
  }
  template <class... A>
  static Error model(fmt::format_string<A...> text, A&&... args) {
    return {ErrorKind::kModel, fmt::format(text, std::forward<A>(args)...)};
  }
  template <class... A>
  static Error target(fmt::format_string<A...> text, A&&... args) {
    return {ErrorKind::kTarget, fmt::format(text, std::forward<A>(args)...)};
  }
  template <class... A>
  static Error gate(fmt::format_string<A...> text, A&&... args) {
    return {ErrorKind::kGate, fmt::format(text, std::forward<A>(args)...)};
  }
  template <class... A>
  static Error io(fmt::format_string<A...> text, A&&... args) {
    return {ErrorKind::kIo, fmt::format(text, std::forward<A>(args)...)};
  }

  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& message);

}  // namespace compressor

/// CHECK(condition) or CHECK(condition, "format {}", args...): our own assumption; throws an internal Error.
#define CHECK(condition, ...)                                                                    \
  do {                                                                                           \
    if (!(condition)) [[unlikely]]                                                               \
      ::compressor::check_failed(__FILE__, __LINE__, #condition, ::fmt::format("" __VA_ARGS__)); \
  } while (false)

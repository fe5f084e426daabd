// log: messages for the person who watches; the library says them, the program decides where they go.
#pragma once

#include <fmt/core.h>

#include <functional>
#include <string>
#include <utility>

namespace compressor {

enum class LogLevel { kDebug, kInfo, kWarning };

/// Where messages go; nowhere until it is set. Called from one thread at a time.
using LogSink = std::function<void(LogLevel, const std::string&)>;
/// Messages below `level` are dropped before they are formatted.
void set_log(LogLevel level, LogSink sink);
bool log_wants(LogLevel level);
void log_text(LogLevel level, const std::string& text);

template <class... A>
void log_debug(fmt::format_string<A...> text, A&&... args) {
  if (log_wants(LogLevel::kDebug)) log_text(LogLevel::kDebug, fmt::format(text, std::forward<A>(args)...));
}
template <class... A>
void log_info(fmt::format_string<A...> text, A&&... args) {
  if (log_wants(LogLevel::kInfo)) log_text(LogLevel::kInfo, fmt::format(text, std::forward<A>(args)...));
}
template <class... A>
void log_warning(fmt::format_string<A...> text, A&&... args) {
  if (log_wants(LogLevel::kWarning))
    log_text(LogLevel::kWarning, fmt::format(text, std::forward<A>(args)...));
}

}  // namespace compressor

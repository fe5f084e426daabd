// log: one sink behind a lock.
#include "compressor/base/log.h"

#include <atomic>
#include <mutex>

namespace compressor {
namespace {

std::mutex guard;
LogSink the_sink;
std::atomic<int> lowest{static_cast<int>(LogLevel::kWarning) + 1};

}  // namespace

void set_log(LogLevel level, LogSink sink) {
  const std::lock_guard lock(guard);
  lowest = sink ? static_cast<int>(level) : static_cast<int>(LogLevel::kWarning) + 1;
  the_sink = std::move(sink);
}

bool log_wants(LogLevel level) {
  return static_cast<int>(level) >= lowest;
}

void log_text(LogLevel level, const std::string& text) {
  const std::lock_guard lock(guard);
  if (the_sink && log_wants(level)) the_sink(level, text);
}

}  // namespace compressor

// error: the message of a failed check.
#include "compressor/base/error.h"

#include <string_view>

namespace compressor {

void check_failed(const char* file, int line, const char* condition, const std::string& message) {
  std::string_view name(file);
  if (const auto slash = name.find_last_of('/'); slash != std::string_view::npos)
    name.remove_prefix(slash + 1);
  throw Error(ErrorKind::kInternal,
              fmt::format("internal error at {}:{}: '{}' does not hold{}{}; please report it", name, line,
                          condition, message.empty() ? "" : ": ", message));
}

}  // namespace compressor

// settings: options of a metric and its decoder, set by name from the metric's text.
#include "metrics/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compressor/base/suggest.h"

namespace compressor::metrics {

std::vector<std::pair<std::string, std::string>> split_settings(const std::string& where,
                                                                std::string_view text) {
  std::vector<std::pair<std::string, std::string>> settings;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const std::string_view piece = text.substr(0, comma);
    const auto equals = piece.find('=');
    if (equals != std::string_view::npos && equals > 0) {
      settings.emplace_back(piece.substr(0, equals), piece.substr(equals + 1));
    } else if (!settings.empty() && equals == std::string_view::npos) {
      settings.back().second += "," + std::string(piece);
    } else {
      throw Error::usage("{}: found '{}', expected option=value", where, piece);
    }
    if (comma == std::string_view::npos) break;
    text = text.substr(comma + 1);
  }
  return settings;
}

void set_option(const std::string& where, OptionBase& option, std::string_view value) {
  try {
    option.parse(value);
  } catch (const Error& error) {
    std::string_view message = error.what();
    if (message.starts_with("--")) message.remove_prefix(2);
    throw Error(error.kind(), fmt::format("{}: {}", where, message));
  }
}

void unknown_option(const std::string& where, std::string_view found, const std::vector<std::string>& known) {
  throw Error::usage("{}: unknown option '{}', expected {}{}", where, found,
                     known.empty() ? "none" : fmt::format("one of {}", fmt::join(known, ", ")),
                     did_you_mean(found, known));
}

std::vector<std::string> names_of(const Options& options) {
  std::vector<std::string> names;
  for (const OptionBase* option : options.options()) names.push_back(option->name());
  return names;
}

}  // namespace compressor::metrics

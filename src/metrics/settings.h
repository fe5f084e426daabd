// settings: options of a metric and its decoder, set by name from the metric's text.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compressor/base/option.h"

namespace compressor::metrics {

/// "a=1,b=2,3" as (a, "1"), (b, "2,3"). Throws Error::usage that begins with `where`.
std::vector<std::pair<std::string, std::string>> split_settings(const std::string& where,
                                                                std::string_view text);
/// Parses the value; errors begin with `where` and not with the dashes of a flag.
void set_option(const std::string& where, OptionBase& option, std::string_view value);
/// Error::usage for an option that none of `known` is.
[[noreturn]] void unknown_option(const std::string& where, std::string_view found,
                                 const std::vector<std::string>& known);
std::vector<std::string> names_of(const Options& options);

}  // namespace compressor::metrics

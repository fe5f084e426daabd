// option: parsing of values with messages that say what was expected.
#include "compressor/base/option.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "compressor/base/suggest.h"

namespace compressor {

OptionBase::OptionBase(Options& owner, std::string name, std::string help)
    : name_(std::move(name)), help_(std::move(help)) {
  owner.options_.push_back(this);
}

OptionBase* Options::find_option(std::string_view name) const {
  for (OptionBase* option : options_) {
    if (option->name() == name) return option;
  }
  return nullptr;
}

void check_names(const std::vector<OptionBase*>& options) {
  std::set<std::string> names;
  std::set<char> letters;
  for (const OptionBase* option : options) {
    CHECK(names.insert(option->name()).second, "option '{}' is declared twice", option->name());
    if (option->short_flag() == 0) continue;
    CHECK(letters.insert(option->short_flag()).second, "short flag of '{}' is declared twice",
          option->name());
  }
}

std::string Range::to_string() const {
  const bool has_low = std::isfinite(low);
  const bool has_high = std::isfinite(high);
  const auto number = [](double v) { return detail::number_text(v); };
  if (has_low && has_high) {
    return fmt::format("in {}{}, {}{}", open_low ? '(' : '[', number(low), number(high),
                       open_high ? ')' : ']');
  }
  if (has_low) return (open_low ? "above " : "at least ") + number(low);
  if (has_high) return (open_high ? "below " : "at most ") + number(high);
  return "";
}

namespace detail {
namespace {

std::string expected(const char* what, const Range& range) {
  const std::string bounds = range.to_string();
  return bounds.empty() ? what : fmt::format("{} {}", what, bounds);
}

template <class T>
bool read(std::string_view text, T& value) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end && !text.empty();
}

}  // namespace

double parse_number(const std::string& option, std::string_view text, const Range& range) {
  double value = 0;
  if (!read(text, value) || !std::isfinite(value) || !range.contains(value)) {
    throw Error::usage("--{}: found '{}', expected {}", option, text, expected("a number", range));
  }
  return value;
}

std::int64_t parse_integer(const std::string& option, std::string_view text, const Range& range) {
  std::int64_t value = 0;
  if (!read(text, value) || !range.contains(static_cast<double>(value))) {
    throw Error::usage("--{}: found '{}', expected {}", option, text, expected("an integer", range));
  }
  return value;
}

bool parse_bool(const std::string& option, std::string_view text) {
  if (text == "true" || text == "1" || text == "on" || text == "yes") return true;
  if (text == "false" || text == "0" || text == "off" || text == "no") return false;
  throw Error::usage("--{}: found '{}', expected true or false", option, text);
}

std::string number_text(double value) {
  return fmt::format("{}", value);
}

void bad_choice(const std::string& option, std::string_view found, const std::vector<std::string>& words) {
  throw Error::usage("--{}: found '{}', expected {}{}", option, found, fmt::join(words, "|"),
                     did_you_mean(found, words));
}

}  // namespace detail

}  // namespace compressor

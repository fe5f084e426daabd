// option: parsing of values with messages that say what was expected, and the nearest word for misspellings.
#include "compressor/base/option.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

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
  const std::string near = nearest(found, words);
  throw Error::usage("--{}: found '{}', expected {}{}", option, found, fmt::join(words, "|"),
                     near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
}

}  // namespace detail

namespace {

// Edits (insert, delete, change, swap of neighbours) between two words.
std::size_t distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& { return table[i * width + j]; };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return at(a.size(), b.size());
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& words) {
  if (word.size() > 64) return "";
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : words) {
    if (candidate.size() > 64) continue;
    const std::size_t d = distance(word, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  if (!best.empty()) return best;
  for (const std::string& candidate : words) {  // an abbreviation: "prog" for "progress"
    if (word.size() >= 3 && candidate.starts_with(word)) return candidate;
  }
  return "";
}

}  // namespace compressor

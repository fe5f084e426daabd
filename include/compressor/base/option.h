// option: a setting, declared once as a member of whoever reads it; flags, recipes, help and reports read
// that declaration.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "compressor/base/error.h"

namespace compressor {

class Options;

/// What every option can say of itself, whatever its type.
class OptionBase {
 public:
  OptionBase(Options& owner, std::string name, std::string help);
  virtual ~OptionBase() = default;
  OptionBase(const OptionBase&) = delete;
  OptionBase& operator=(const OptionBase&) = delete;

  /// Long flag without the dashes: "min-keep". Also the key in a recipe and in the report.
  const std::string& name() const { return name_; }
  /// One sentence, lower case, without a full stop.
  const std::string& help() const { return help_; }
  /// True when the user gave it.
  bool is_set() const { return set_; }
  virtual bool is_flag() const { return false; }
  /// May be given more than once.
  virtual bool is_list() const { return false; }
  /// "<number>", "<text>", "l1|l2|random".
  virtual std::string metavar() const = 0;
  /// The permitted words; empty when free.
  virtual std::vector<std::string> choices() const { return {}; }
  /// Current value as text; "" when it has none.
  virtual std::string text() const = 0;
  /// "in [0, 1]", "at least 1"; "" when any value of the type will do.
  virtual std::string range_text() const { return ""; }
  /// Parses one value; throws Error::usage "--name: found 'x', expected ...".
  virtual void parse(std::string_view value) = 0;
  /// Takes the value of the same option of another owner, as if it were the default here.
  virtual void inherit(const OptionBase& from) = 0;
  /// For shell completion: the value is a path.
  bool is_path() const { return path_; }
  /// One letter for a short flag ('o' for -o); 0 when there is none.
  char short_flag() const { return letter_; }
  /// Given by its place on the command line and not by a flag.
  bool is_positional() const { return positional_; }
  /// A positional that may be left out.
  virtual bool is_optional() const { return false; }
  /// Whether the result depends on it (recorded in the output's metadata); -j and -q do not.
  bool changes_result() const { return changes_result_; }

 protected:
  void mark_set() { set_ = true; }
  bool path_ = false;
  bool changes_result_ = true;
  bool positional_ = false;
  char letter_ = 0;

 private:
  std::string name_, help_;
  bool set_ = false;
};

/// A group of options; passes, strategies and commands have one or are one.
class Options {
 public:
  Options() = default;
  virtual ~Options() = default;
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  const std::vector<OptionBase*>& options() const { return options_; }
  /// Includes a group declared elsewhere.
  void include(Options& group) {
    options_.insert(options_.end(), group.options_.begin(), group.options_.end());
  }
  OptionBase* find_option(std::string_view name) const;

 private:
  friend class OptionBase;
  std::vector<OptionBase*> options_;
};

/// Bounds of a number; open bounds with `above`/`below`.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false;
  bool open_high = false;
  static Range at_least(double low) { return {.low = low}; }
  static Range above(double low) { return {.low = low, .open_low = true}; }
  /// "at least 1", "above 0", "in [0, 1)".
  std::string to_string() const;
  bool operator==(const Range&) const = default;
  bool contains(double v) const {
    return (open_low ? v > low : v >= low) && (open_high ? v < high : v <= high);
  }
};

struct Choices {
  std::vector<std::string> words;
};

namespace detail {
double parse_number(const std::string& option, std::string_view text, const Range& range);
std::int64_t parse_integer(const std::string& option, std::string_view text, const Range& range);
bool parse_bool(const std::string& option, std::string_view text);
std::string number_text(double value);
[[noreturn]] void bad_choice(const std::string& option, std::string_view found,
                             const std::vector<std::string>& words);
}  // namespace detail

/// T: bool, std::int64_t, double, std::string, std::optional of the last three, std::vector<std::string>.
template <class T>
class Option : public OptionBase {
 public:
  Option(Options& owner, std::string name, T value, std::string help, Range range = {})
      : OptionBase(owner, std::move(name), std::move(help)), value_(std::move(value)), range_(range) {}
  Option(Options& owner, std::string name, T value, std::string help, Choices choices)
      : OptionBase(owner, std::move(name), std::move(help)),
        value_(std::move(value)),
        choices_(std::move(choices.words)) {}

  const T& value() const { return value_; }
  const T& operator*() const { return value_; }
  const T* operator->() const { return &value_; }
  /// For recipes in code and tests.
  void set(T value) {
    value_ = std::move(value);
    mark_set();
  }
  /// The value is a path (for completion).
  Option& path() {
    path_ = true;
    return *this;
  }
  /// The result does not depend on it.
  Option& no_effect() {
    changes_result_ = false;
    return *this;
  }
  /// Has a short flag, too.
  Option& letter(char c) {
    letter_ = c;
    return *this;
  }
  /// Is given by its place, not by a flag.
  Option& positional() {
    positional_ = true;
    return *this;
  }

  bool is_flag() const override { return std::is_same_v<T, bool>; }
  bool is_list() const override { return std::is_same_v<T, std::vector<std::string>>; }
  bool is_optional() const override {
    return !std::is_same_v<T, std::string> && !std::is_same_v<T, std::int64_t> && !std::is_same_v<T, double>;
  }
  std::vector<std::string> choices() const override { return choices_; }
  std::string metavar() const override {
    if (!choices_.empty()) {
      std::string all;
      for (const std::string& w : choices_) all += (all.empty() ? "" : "|") + w;
      return all;
    }
    if (is_flag()) return "";
    if (path_) return "<path>";
    if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::optional<double>>) return "<number>";
    if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::optional<std::int64_t>>)
      return "<integer>";
    return "<text>";
  }
  std::string range_text() const override { return range_ == Range{} ? "" : range_.to_string(); }
  std::string text() const override { return text_of(value_); }
  void inherit(const OptionBase& from) override {
    const auto* same = dynamic_cast<const Option*>(&from);
    CHECK(same && from.name() == name(), "option '{}' cannot take the value of '{}'", name(), from.name());
    value_ = same->value_;
  }
  void parse(std::string_view text) override {
    if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      if (!is_set()) value_.clear();
      value_.emplace_back(text);
    } else if constexpr (std::is_same_v<T, bool>) {
      value_ = detail::parse_bool(name(), text);
    } else if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::optional<double>>) {
      value_ = detail::parse_number(name(), text, range_);
    } else if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::optional<std::int64_t>>) {
      value_ = detail::parse_integer(name(), text, range_);
    } else {
      if (!choices_.empty()) {
        bool known = false;
        for (const std::string& w : choices_) known = known || w == text;
        if (!known) detail::bad_choice(name(), text, choices_);
      }
      value_ = std::string(text);
    }
    mark_set();
  }

 private:
  static std::string text_of(const std::string& v) { return v; }
  static std::string text_of(bool v) { return v ? "true" : "false"; }
  static std::string text_of(double v) { return detail::number_text(v); }
  static std::string text_of(std::int64_t v) { return std::to_string(v); }
  static std::string text_of(const std::vector<std::string>& v) {
    std::string all;
    for (const std::string& s : v) all += (all.empty() ? "" : ",") + s;
    return all;
  }
  template <class U>
  static std::string text_of(const std::optional<U>& v) {
    return v ? text_of(*v) : "";
  }
  T value_;
  Range range_;
  std::vector<std::string> choices_;
};

/// Options that stand beside each other and may not share a name: throws an internal Error for one that is
/// declared twice.
void check_names(const std::vector<OptionBase*>& options);

}  // namespace compressor
